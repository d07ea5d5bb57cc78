(struct_specifier name: (_) @name body: (_)) @class
(union_specifier name: (_) @name body: (_)) @class
(enum_specifier name: (_) @name body: (_)) @class
(function_definition declarator: (function_declarator declarator: (_) @name)) @function
(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name))) @function
(function_definition declarator: (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name)))) @function
(preproc_function_def name: (_) @name) @function
(preproc_def name: (_) @name value: (_)) @variable
(translation_unit (type_definition declarator: (type_identifier) @name) @variable)
(translation_unit (declaration declarator: (identifier) @name) @variable)
(translation_unit (declaration declarator: (init_declarator declarator: (identifier) @name)) @variable)
(translation_unit (declaration declarator: (init_declarator declarator: (pointer_declarator declarator: (identifier) @name))) @variable)
(translation_unit (declaration declarator: (init_declarator declarator: (array_declarator declarator: (identifier) @name))) @variable)
(class_specifier name: (_) @name body: (_)) @class
(namespace_definition name: (_) @name) @class
(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name))) @function
(alias_declaration name: (_) @name) @variable
