// What must stay in memory for as long as the process runs once Sofia has been used: libsofia itself and the clock that it asks.
#pragma once

/// Pins libsofia, sets its clock and initialises it; harmless when repeated. To be called before any thread uses Sofia.
/// False when libsofia cannot be pinned.
extern "C" __attribute__((visibility("default"))) bool strowger_sip_support_start();
