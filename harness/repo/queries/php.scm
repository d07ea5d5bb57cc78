(class_declaration name: (_) @name) @class
(interface_declaration name: (_) @name) @class
(trait_declaration name: (_) @name) @class
(enum_declaration name: (_) @name) @class
(function_definition name: (_) @name) @function
(method_declaration name: (_) @name) @function
(program (const_declaration (const_element (name) @name)) @variable)
(program (expression_statement (assignment_expression left: (variable_name) @name)) @variable)
