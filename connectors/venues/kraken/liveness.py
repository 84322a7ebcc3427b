"""When a link of Kraken's is dead, and which subscriptions are refused for good. https://docs.kraken.com/api/docs/guides/spot-ws-intro

Once anything is subscribed, a heartbeat comes every second whatever else happens: 3.5 s without a frame other than our
own pongs is a dead link, though its socket may not know.
"""

from typing import Final

SECOND: Final = 10**9
PING_AFTER_NS: Final = 2 * SECOND
SILENCE_MAX_NS: Final = 3_500_000_000
NEVER_RETRIED: Final = ("Currency pair not supported", "Subscription depth not supported", "depth must be")
