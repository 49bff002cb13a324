"""The fault matrix and the laws, in words; which tests show them is read from the tests.

A row is (id, fault, what must hold, injector, why there is no test). The last is printed only
while no test carries the row's mark. Injectors: W wire, X exchange, K clock, P process, D disk,
C configuration.
"""

from __future__ import annotations

LATER_VENUE = "its venue comes later"
NO_DASHBOARD = "no dashboard yet"
NOT_YET = "no test shows it yet"

FAMILIES = {"W": "Wire", "V": "Venue", "B": "Book", "F": "Fills", "T": "Time", "P": "Process",
            "D": "Disk", "Q": "Queues", "H": "Human", "K": "Kill", "S": "Security"}

ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    ("W1", "connection reset during an order request",
     "order is in doubt, asked for under its id, never sent again (4)", "W", NOT_YET),
    ("W2", "reply lost after the venue acted",
     "found by its id, fills are the venue's fills (2, 4)", "W, X", NOT_YET),
    ("W3", "half-open socket: no data in one or both directions",
     "book denied within the silence limit, no orders, reconnect (6)", "W", NOT_YET),
    ("W4", "one subscription freezes while pings are answered",
     "only that instrument is denied, others trade (6)", "X", NOT_YET),
    ("W5", "frames split at any byte and glued together", "the same events as unsplit", "W",
     NOT_YET),
    ("W6", "reconnect storm: closed right after the handshake",
     "waits grow; at most 150 connects in 10 minutes", "X", NOT_YET),
    ("W7", "REST and stream reordered, messages repeated and dropped by the venue",
     "money agrees with the venue (2, 3, 5)", "W, X", NOT_YET),
    ("W8", "slow reader, slow venue", "buffers bounded, oldest wishes expire (6, 8)", "W",
     NOT_YET),
    ("W9", "no JSON, oversize, deep, bad UTF-8", "counted, the session lives, resync at a limit",
     "X", NOT_YET),
    ("W10", "name, TLS or handshake failure, 301, 403", "no crash, growing waits, said aloud",
     "X", NOT_YET),

    ("V1", "425 during an engine restart, then post-only",
     "mode obeyed, no taker order in the window (11)", "X", LATER_VENUE),
    ("V2", "cancel-only, post-only, maintenance, disabled",
     "mode obeyed, cancels still tried (11)", "X", NOT_YET),
    ("V3", "429, rate counter exhausted", "no breach by the exchange's own meter", "X",
     NOT_YET),
    ("V4", "nonce repeated, too low, too high", "strictly rising; one retry after a refusal", "K",
     NOT_YET),
    ("V5", "a refused leg inside a success", "that leg is rejected, the others live", "X",
     LATER_VENUE),
    ("V6", "part of a batch refused", "exact outcome for each leg", "X",
     LATER_VENUE + "; orders leave one by one here"),
    ("V7", "modify races: answers in any order", "one live order, fills on it", "X", LATER_VENUE),
    ("V8", "order unknown at the venue after a timeout",
     "doubt, asked until proved, then over (4)", "X", NOT_YET),
    ("V9", "the venue cancels by itself", "state follows, strategy is told", "X", NOT_YET),
    ("V10", "fills beyond the order's size", "booked as reality, said aloud, REDUCING or HALTED",
     "X", NOT_YET),
    ("V11", "an order of somebody else appears", "left alone, shown", "X", NOT_YET),
    ("V12", "token or signature refused", "a new one once, then a halt", "X", NOT_YET),
    ("V13", "dead-man fires while we are alive but slow",
     "no order before reconciliation; all cancelled", "P", NOT_YET),
    ("V14", "heartbeat refused", "no order after it", "X",
     LATER_VENUE + "; Kraken's dead-man is the guardian's"),

    ("B1", "checksum mismatch", "suspect, subscribed afresh, trusted after the snapshot", "X",
     NOT_YET),
    ("B2", "lost update on a stream without numbers", "caught by the checksum", "W", NOT_YET),
    ("B3", "gap in the executions sequence", "subscribed afresh, reconciled before an order", "W",
     NOT_YET),
    ("B4", "crossed or locked book, impossible size", "suspect, never quoted", "X", NOT_YET),
    ("B5", "tick size changes under way", "old grid dropped, no order off the grid", "X",
     LATER_VENUE),
    ("B6", "snapshot replays old trades", "positions unchanged (2)", "X", NOT_YET),
    ("B7", "reference price stops while the market moves", "quotes pulled within the age limit",
     "X", LATER_VENUE),

    ("F1", "the same fill many times, by two channels, after a restart", "counts once (2)", "X",
     NOT_YET),
    ("F2", "fill before the answer, fill after the cancel", "position right, order ends right",
     "X", NOT_YET),
    ("F3", "ghost fill: claimed, then reversed", "reversed exactly, exposure kept meanwhile", "X",
     LATER_VENUE),
    ("F4", "several fills in one transaction", "all kept", "X", LATER_VENUE),
    ("F5", "fee in another currency, fee missing", "money conserved exactly (3)", "X", NOT_YET),
    ("F6", "the completing trade is told as a part", "order ends once, is not reopened", "X",
     NOT_YET),

    ("T1", "wall clock steps", "deadlines and latencies unaffected, nonces rise", "K", NOT_YET),
    ("T2", "process frozen for 0.5 to 120 s", "treated as a disconnect, no stale order (6)", "P",
     NOT_YET),
    ("T3", "clock set back during a run", "histograms never negative", "K", NOT_YET),

    ("P1", "kill -9 anywhere", "laws 1 to 5 and 9 after the restart", "P", NOT_YET),
    ("P2", "kill -9 at named points", "the same", "P", NOT_YET),
    ("P3", "SIGTERM with many live orders", "drained in time, none open, exit 0", "P", NOT_YET),
    ("P4", "crash loop", "restarts end, orders cancelled by the guardian", "P", NOT_YET),
    ("P5", "exception in a strategy", "it alone is disabled, its orders cancelled", "code",
     NOT_YET),
    ("P6", "broken invariant", "halt, named, exit code not 0", "code", NOT_YET),
    ("P7", "bot dead, guardian alive", "everything cancelled within the beat limit", "P",
     NOT_YET),

    ("D1", "disk full", "halt before the next order; cancels still go", "D", NOT_YET),
    ("D2", "a sync fails once", "halt, never retried and forgotten", "D", NOT_YET),
    ("D3", "torn tail, flipped bit in the journal", "the prefix, and the damage is told", "D",
     NOT_YET),
    ("D4", "database locked, corrupt, deleted", "trading unaffected, rebuilt from the journal",
     "D", NOT_YET),
    ("D5", "journal of another run, account or schema", "refused with a sentence", "D", NOT_YET),

    ("Q1", "ten times the messages while a strategy is slow",
     "newest book wins, age bounded, skips counted (8)", "X", NOT_YET),
    ("Q2", "a thousand leader trades at once", "in = done + skipped + failed + dropped (8)", "X",
     "copy trading comes later"),
    ("Q3", "leader trades told twice by two feeds", "one copy each (2)", "X",
     "copy trading comes later"),

    ("H1", "unknown key, wrong unit, negative limit, NaN",
     "refused with place and the nearest key", "C", NOT_YET),
    ("H2", "live without consent, DRY_RUN unset", "dry by default", "C", NOT_YET),
    ("H3", "two bots on one account", "the second is refused", "C", NOT_YET),
    ("H4", "a limit lowered below the exposure", "REDUCING, no flood of orders", "C", NOT_YET),

    ("K1", "kill with many orders open", "all cancelled and verified, no order after it", "cli",
     NOT_YET),
    ("K2", "kill while the venue is down", "keeps trying, said aloud, sticky", "cli", NOT_YET),
    ("K3", "kill by file, signal, command, loss limit", "the same path", "each", NOT_YET),

    ("S1", "planted secrets", "in no output (10)", "canaries", NOT_YET),
    ("S2", "dashboard asked under another host or origin", "refused", "http", NO_DASHBOARD),
    ("S3", "forged dashboard post", "refused", "http", NO_DASHBOARD),
    ("S4", "secret file readable by others, a link, of another owner", "refused", "C", NOT_YET),
    ("S5", "the simulator asked to listen to the world", "refused", "C", NOT_YET),
)

LAWS = {
    1: "Named before sent: no bytes of an order leave before its ClientId is in the journal.",
    2: "Once: a fill moves the position once, however often and wherever it is told.",
    3: "Conservation: reconciled position and cash are the venue's.",
    4: "Doubt is not no: never sent again under a new id; exposure kept until the venue answers.",
    5: "Bounded: position, live and doubt stay within every limit at every event.",
    6: "Fresh: no order from a book that is untrusted or stale, or from an expired wish.",
    7: "Sticky halt: no new exposure after it, live orders cancelled, a restart stays halted.",
    8: "Accounted: every queue is bounded; in = out + dropped + waiting, and drops are shown.",
    9: "Replay: the journal gives the live state's hash at every record.",
    10: "Silent secrets: no output contains a secret.",
    11: "No self-trade, and no quote outside the market's mode.",
    12: "Ends: every request ends in its deadline; every task started is awaited.",
}
