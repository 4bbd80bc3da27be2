// How a store made by an older program is brought up to date, step by step.
#pragma once
#include "core/base/result.hpp"
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger::store {

/// The store as a migration sees it: tables by name, all changes in one transaction. Tables are made when missing.
class migrating {
public:
    virtual ~migrating();
    virtual std::optional<std::string> get(std::string_view table, std::string_view key) = 0;
    virtual void put(std::string_view table, std::string_view key, std::string_view value) = 0;
    virtual void erase(std::string_view table, std::string_view key) = 0;
    virtual void each(std::string_view table, const std::function<void(std::string_view key, std::string_view value)>& visit) = 0;
};

/// One step from a version of the schema to the next. When it fails, nothing of it is kept. It may be run again after having been
/// undone.
struct migration {
    /// For the log: "registrations by instance".
    std::string what;
    std::function<result<>(migrating&)> run;
};

/// All steps since the first version, oldest first: a store's version is the number of steps it has been through.
/// Steps are only ever added at the end.
std::vector<migration> schema();

} // namespace strowger::store
