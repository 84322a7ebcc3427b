"""Small guests written as WAT, generation 0.1, for tests and benchmarks: each does one thing."""

from wasmtime import wat2wasm

from runtime import abi

FEATURES = bytearray(abi.FEATURES_BYTES)  # for guests that look at none

# records are allocated from 4,096 on; WasmActions lies at 1,024
_MODULE = """
(module
  {imports}
  (memory (export "memory") 3)
  (global $heap (mut i32) (i32.const 4096))
  (global $calls (mut i32) (i32.const 0))
  (global $order (mut i64) (i64.const 0))
  {globals}
  (func (export "algo_alloc") (param $size i32) (result i32) (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap)
      (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))
    (local.get $at))
  (func $on_book (export "{book_export}") (param $book i32) (param $state i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    {on_book}
    (i32.const 1024))
  (func (export "algo_on_fill") (param $fill i32) (param $state i32) {on_fill})
  (func (export "algo_on_reject") (param $reject i32) {on_reject})
  (func (export "algo_on_shutdown") (param $state i32) (result i32)
    (i32.store (i32.const 1024) (i32.const 0))
    {on_shutdown}
    (i32.const 1024))
  {extra}
)
"""


def guest(
    on_book: str = "", *, on_fill: str = "", on_reject: str = "", on_shutdown: str = "", globals_: str = "",
    imports: str = "", extra: str = "", book_export: str = "algo_on_book",
) -> bytes:  # fmt: skip
    """A module with these bodies."""
    return bytes(
        wat2wasm(
            _MODULE.format(
                on_book=on_book, on_fill=on_fill, on_reject=on_reject, on_shutdown=on_shutdown, globals=globals_,
                imports=imports, extra=extra, book_export=book_export,
            )
        )
    )  # fmt: skip


def _action(slot: int, *, order_id: str, px: str, qty: str, side: int, kind: int = 0, order_type: int = 0) -> str:
    """WAT that writes one action; `order_id`, `px` and `qty` are i64 expressions."""
    at = 1024 + 8 + 32 * slot
    tail = (side & 0xFF) | kind << 8 | order_type << 16
    return f"""
      (i64.store (i32.const {at}) {order_id})
      (i64.store (i32.const {at + 8}) {px})
      (i64.store (i32.const {at + 16}) {qty})
      (i64.store (i32.const {at + 24}) (i64.const {tail}))"""


_NEXT_ID = "(global.set $order (i64.add (global.get $order) (i64.const 1)))"
_BEST_BID = "(i64.load (local.get $book))"


def every(nth: int, *, qty_1e8: int = 10_000, below_1e9: int = 1_000_000_000, order_type: int = 0) -> bytes:
    """On every n-th book one limit buy, `below_1e9` under the best bid; n = 0: never. Order ids 1, 2, 3 …"""
    if nth == 0:
        return guest("(i32.store (i32.const 1024) (i32.const 0))")
    price = f"(i64.sub {_BEST_BID} (i64.const {below_1e9}))"
    order = _action(
        0, order_id="(global.get $order)", px=price, qty=f"(i64.const {qty_1e8})", side=1, order_type=order_type
    )
    return guest(f"""
    (i32.store (i32.const 1024) (i32.const 0))
    (if (i32.eqz (i32.rem_u (global.get $calls) (i32.const {nth}))) (then
      {_NEXT_ID}
      {order}
      (i32.store (i32.const 1024) (i32.const 1))))""")


def once(
    order_type: int = 1, *, qty_1e8: int = 1_000_000, side: int = 1, px: str = "(i64.const 0)", at_call: int = 1
) -> bytes:
    """One order, on the given call; `px` is an i64 expression that may use $book."""
    order = _action(0, order_id="(i64.const 1)", px=px, qty=f"(i64.const {qty_1e8})", side=side, order_type=order_type)
    return guest(f"""
    (i32.store (i32.const 1024) (i32.const 0))
    (if (i32.eq (global.get $calls) (i32.const {at_call})) (then
      {order}
      (i32.store (i32.const 1024) (i32.const 1))))""")
