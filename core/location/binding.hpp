// Where a user can be reached now: one phone, browser or client that a driver has registered.
#pragma once
#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strowger {

/// What a driver asks to be kept; all texts may hold any bytes.
struct binding_change {
    /// The URI that the driver calls; only the driver understands it, and it tells bindings of one driver and user apart.
    std::string address;
    /// Where the registration was seen to come from, in the driver's own words.
    std::string received;
    /// RFC 3327
    std::string path;
    /// RFC 5626 "+sip.instance"
    std::string instance;
    std::string user_agent;
    /// Preference, 0 to 1 (RFC 3261 section 20.10).
    double q = 1;
    /// How long it holds; zero removes the binding.
    std::chrono::seconds lasts{};
    /// Order of registrations (RFC 3261 section 10.3); a driver without such a thing leaves the call_id empty.
    std::string call_id;
    std::uint32_t cseq = 0;
};

struct binding {
    std::string user;
    std::string driver;
    std::string address;
    std::string received;
    std::string path;
    std::string instance;
    std::string user_agent;
    double q = 1;
    /// The duration it was registered for, after capping.
    std::chrono::seconds lasts{};
    /// When it ends, for people and for the next start of the engine.
    wall_time expires;
    /// When it ends; this is what counts.
    instant expires_mono;
    std::string call_id;
    std::uint32_t cseq = 0;
};

/// Why a registration was refused; nothing of it was kept then.
struct registration_error : error {
    enum class cause {
        invalid,      ///< an address or duration that cannot be
        out_of_order, ///< older than what is kept (RFC 3261 section 10.3 steps 6 and 7)
        too_many,     ///< more bindings than a user may have
        not_kept,     ///< the store failed
    };
    cause why = cause::invalid;
};

/// Writes a user's bindings as a record of the store. `run` names this run of the engine, whose monotonic instants mean
/// something.
std::string encode_bindings(const std::vector<binding>& all, std::string_view run);
struct decoded_bindings {
    std::vector<binding> all;
    /// Something had ended or was shortened: keep the record anew, or a clock set back would find it unchanged at every start.
    bool corrected = false;
};
/// Reads such a record, without those that have ended. After a restart the time that is left comes from the wall clock, but is
/// never more than the duration first granted, so that a clock that was set back makes nobody immortal. Nothing when the record
/// is damaged.
std::optional<decoded_bindings> decode_bindings(std::string_view user, std::string_view record, std::string_view run,
                                                const clock& time);

} // namespace strowger
