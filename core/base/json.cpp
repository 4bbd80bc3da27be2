// Boost.JSON's own code, compiled once into the core.
#include <boost/json/src.hpp>
