(struct_item name: (_) @name) @class
(enum_item name: (_) @name) @class
(union_item name: (_) @name) @class
(trait_item name: (_) @name) @class
(mod_item name: (_) @name body: (_)) @class
(impl_item type: (_) @name) @class
(function_item name: (_) @name) @function
(function_signature_item name: (_) @name) @function
(macro_definition name: (_) @name) @function
(source_file (const_item name: (_) @name) @variable)
(source_file (static_item name: (_) @name) @variable)
(source_file (type_item name: (_) @name) @variable)
