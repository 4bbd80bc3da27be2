// A function to run once, that can be moved but need not be copyable (GCC 12 has no std::move_only_function in C++20).
#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace strowger {

/// Callable once or more, as what it holds; small callables (48 bytes) need no allocation.
class job {
public:
    job() noexcept = default;

    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, job> && std::is_invocable_v<std::remove_cvref_t<F>&>)
    job(F&& f) {
        using held = std::remove_cvref_t<F>;
        if constexpr (fits<held>) {
            ::new (static_cast<void*>(room_)) held(std::forward<F>(f));
            table_ = &small_table<held>;
        } else {
            ::new (static_cast<void*>(room_)) held*(new held(std::forward<F>(f)));
            table_ = &large_table<held>;
        }
    }
    job(job&& other) noexcept { take(other); }
    job& operator=(job&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~job() { reset(); }

    explicit operator bool() const noexcept { return table_ != nullptr; }
    void operator()() { table_->run(room_); }
    void reset() noexcept {
        if (table_ != nullptr) std::exchange(table_, nullptr)->destroy(room_);
    }

private:
    struct operations {
        void (*run)(void*);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };
    static constexpr std::size_t room_size = 48;
    template <class F>
    static constexpr bool fits = sizeof(F) <= room_size &&
                                 alignof(F) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<F>;

    template <class F>
    static constexpr operations small_table = {
        [](void* p) { (*static_cast<F*>(p))(); },
        [](void* from, void* to) noexcept {
            ::new (to) F(std::move(*static_cast<F*>(from)));
            static_cast<F*>(from)->~F();
        },
        [](void* p) noexcept { static_cast<F*>(p)->~F(); }};
    template <class F>
    static constexpr operations large_table = {
        [](void* p) { (**static_cast<F**>(p))(); },
        [](void* from, void* to) noexcept { ::new (to) F*(*static_cast<F**>(from)); },
        [](void* p) noexcept { delete *static_cast<F**>(p); }};

    void take(job& other) noexcept {
        table_ = std::exchange(other.table_, nullptr);
        if (table_ != nullptr) table_->move(other.room_, room_);
    }

    alignas(std::max_align_t) std::byte room_[room_size];
    const operations* table_ = nullptr;
};

} // namespace strowger
