#include "core/store/store.hpp"
#include "core/store/lmdb_store.hpp"

namespace strowger::store {

batch& batch::put(table t, std::string key, std::string value) {
    changes_.push_back({t, std::move(key), std::move(value)});
    return *this;
}

batch& batch::erase(table t, std::string key) {
    changes_.push_back({t, std::move(key), std::nullopt});
    return *this;
}

store::~store() = default;

result<std::unique_ptr<store>> store::open(const std::filesystem::path& directory, worker& writer, options o) {
    return lmdb_store::open(directory, writer, std::move(o));
}

void store::get_or_create(table t, std::string key, std::function<std::string()> make,
                          std::function<void(result<std::string>)> completion) {
    auto keep = [make = std::move(make)](std::optional<std::string> found) { return found ? found : std::optional(make()); };
    update(t, std::move(key), std::move(keep), [completion = std::move(completion)](result<std::optional<std::string>> kept) {
        if (kept)
            completion(std::move(**kept));
        else
            completion(fail(kept));
    });
}

} // namespace strowger::store
