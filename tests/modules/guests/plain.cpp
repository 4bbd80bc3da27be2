// A shared object that is no module.
extern "C" __attribute__((visibility("default"))) int not_a_module() { return 1; }
