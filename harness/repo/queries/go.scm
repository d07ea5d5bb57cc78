(type_declaration (type_spec name: (_) @name)) @class
(function_declaration name: (_) @name) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: (type_identifier) @owner)) name: (_) @name) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: (pointer_type (type_identifier) @owner))) name: (_) @name) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: (generic_type type: (_) @owner))) name: (_) @name) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: (pointer_type (generic_type type: (_) @owner)))) name: (_) @name) @function
(source_file (var_declaration (var_spec name: (_) @name)) @variable)
(source_file (var_declaration (var_spec_list (var_spec name: (_) @name))) @variable)
(source_file (const_declaration (const_spec name: (_) @name)) @variable)
