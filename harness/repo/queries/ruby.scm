(class name: (_) @name) @class
(module name: (_) @name) @class
(method name: (_) @name) @function
(singleton_method name: (_) @name) @function
(program (assignment left: [(constant) (identifier) (global_variable)] @name) @variable)
