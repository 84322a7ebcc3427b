"""Ways past the gate and the tap, as mutants (`tests/mutants.py`)."""

from tests.mutants import Mutant

KNOBS = {"VENUEGATE_ACTIONS": "4000"}
EXIT = ("tests/system/test_no_bypass.py",)
TAP = tuple(f"tests/runtime/{name}.py" for name in ("test_tap", "test_tap_waiting", "test_tap_names"))
ASKED = ("tests/connectors/test_kraken_asked.py",)
ORDERS = "connectors/venues/kraken/orders.py"
GATE, TAPS, DESK, LAST = "risk/gate.py", "runtime/tap.py", "runtime/desk.py", "runtime/exit.py"
OUTBOX = ("tests/journal/test_outbox.py",)
SENT = '        self.leave(self.gate.markets[market].venue, outputs, now_ns, ("new", name), [new.approval])\n'
FORGED = (
    '[Send(\'private\', b\'{"method":"add_order","params":{"order_type":"market","side":"buy",\''
    ' b\'"symbol":"BTC/USD","order_qty":1,"cl_ord_id":"%s","token":"t"}}\' % name.encode())]'
)

MUTANTS = [
    Mutant(
        "the encoder writes another quantity", ORDERS,
        "        rest //= template.size_digit\n", "        rest = rest // template.size_digit + 1\n",
        EXIT, "rounding the wrong way, off by one lot",
    ),
    Mutant(
        "the encoder writes another price", ORDERS,
        "(whole, part // template.price_digit, lots, rest, name, second, ms, number), number)",
        "(whole + 1, part // template.price_digit, lots, rest, name, second, ms, number), number)",
        EXIT, "whole and part carried wrongly",
    ),
    Mutant(
        "the encoder writes the other side", ORDERS,
        'b"buy" if side > 0 else b"sell"', 'b"buy" if side < 0 else b"sell"',
        EXIT, "a sign read the other way round",
    ),
    Mutant(
        "the encoder writes another symbol", ORDERS,
        "template = self._template(order.instrument)\n        form =",
        "template = self._template(order.instrument ^ 1)\n        form =",
        EXIT, "an index into another list",
    ),
    Mutant(
        "the encoder amends another order", ORDERS,
        "data = template.amend % (order.client_order_id.encode()", "data = template.amend % (order.action_id.encode()",
        EXIT, "the id of the request in the place of the order's",
    ),
    Mutant(
        "the encoder drops post-only", ORDERS,
        """(b"limit", b',"time_in_force":"gtc","post_only":true')""", """(b"limit", b',"time_in_force":"gtc"')""",
        EXIT, "a flag forgotten",
    ),
    Mutant(
        "the gate gives a number twice", GATE,
        "self.approvals = approval = self.approvals + 1", "self.approvals = approval = max(self.approvals, 1)",
        EXIT, "a counter that is not counted",
    ),
    Mutant(
        "the gate leaves a check out", GATE,
        "_NUMBERED = tuple(enumerate(CHECKS, 1))", "_NUMBERED = tuple(enumerate(CHECKS[:-1], 1))",
        EXIT, "a slice that ends too early (nautilus#4946: account checks skipped)",
    ),
    Mutant(
        "a check is taken out of the table", "risk/checks.py",
        "    check_collar: DenyReason.PRICE_COLLAR,\n", "",
        EXIT, "a line lost in a merge: gate and table agree with each other, and there is one check less",
    ),
    Mutant(
        "the gate approves without counting it", GATE,
        "        self.count_new(order, self._case.reach_1e9, now_ns)\n", "",
        EXIT, "an order in flight that no limit sees",
    ),
    Mutant(
        "the gate amends without counting it", GATE,
        "        self.count_amend(order, now_ns)\n", "",
        EXIT, "a larger total in flight that no limit sees",
    ),
    Mutant(
        "the tap is not told of approvals", GATE,
        "        self.on_approved(approved)\n", "",
        EXIT, "a hook that nobody calls",
    ),
    Mutant(
        "the desk sends twice", DESK, SENT, SENT + SENT,
        EXIT, "a retry without a question (Knight: 4 million orders for 212)",
    ),
    Mutant(
        "the desk sends before it asks", DESK,
        "        new = self.gate.check_new(algo.index, name, order, now_ns)\n",
        "        if order[3] == 1 and order[5] == 0 and order[2] > 0:\n"
        "            from connectors.orders import NewOrder\n"
        "            at = algo.deployment.instruments[0]\n"
        "            early = NewOrder(name, algo.index, at, order[0], 1, order[1], order[2], 0)\n"
        "            sent = Approved(early, self.gate.approvals + 1, now_ns, 31)\n"
        "            self.leave(self.gate.markets[at].venue, self.papers[at].submit(sent, now_ns), now_ns)\n"
        "        new = self.gate.check_new(algo.index, name, order, now_ns)\n",
        EXIT, "speed before safety",
    ),
    Mutant(
        "a denied order is sent", DESK,
        "            self.record(algo, asked, new, now_ns, by)\n            return False\n",
        "            self.record(algo, asked, new, now_ns, by)\n"
        f"            self.leave(self.gate.markets[0].venue, {FORGED}, now_ns)\n            return False\n",
        EXIT, "the answer recorded, and not heeded",
    ),
    Mutant(
        "an order leaves after HALTED", "risk/checks_order.py",
        "    if case.state is _HALTED:\n", "    if case.state is _HALTED and case.side < 0:\n",
        EXIT, "a kill switch for one side",
    ),
    Mutant(
        "the tap is skipped for cancels", DESK,
        "if problem := self.tap.leaving(venue, output.data, output.approval):",
        'if b"cancel" not in output.data and (problem := self.tap.leaving(venue, output.data, output.approval)):',
        EXIT, "a shortcut for what seems harmless",
    ),
    Mutant(
        "the last door lets go what differs", LAST,
        "        if not problem:\n", "        if True:\n",
        EXIT, "told, and sent all the same (97 warning e-mails ignored)",
    ),
    Mutant(
        "the last door sends twice", LAST,
        "            self._send(output.venue, send.link, send.data)\n",
        "            self._send(output.venue, send.link, send.data)\n" * 2,
        EXIT, "behind the tap, where only the links see it",
    ),
    Mutant(
        "the outbox does not wait for the record", "runtime/outbox.py",
        "            self._held.append(_Held(output, kind, (client_order_id, *more), self._turn))\n",
        "            self._send(output)\n",
        OUTBOX, "send, then record: 88 % of kills left an order nobody knew of",
    ),
    Mutant(
        "live sends by a door of its own", "runtime/live.py",
        "                    self._exit.offer(output)\n",
        "                    self._links[output.venue, output.output.link].send(output.output.data)\n",
        EXIT, "a way to the links that nobody watches",
    ),
    Mutant(
        "the tap takes a number twice", TAPS,
        "[self._taken(one) for one in approvals]", "[self.waiting(one) for one in approvals]",
        TAP, "looked up, and not taken out",
    ),
    Mutant(
        "the tap looks at the number alone", TAPS,
        "        if found != expected.asked:\n            return f",
        "        if found.what != expected.asked.what:\n            return f",
        TAP, "a comparison of kinds",
    ),
    Mutant(
        "the tap lets orders go on after a difference", TAPS,
        "if self.difference and found[0].what not in _CANCELS:", "if False:",
        TAP, "no latch",
    ),
    Mutant(
        "a session sends an order as if it were a subscription", "connectors/venues/kraken/session.py",
        'b\'{"method":"%s","params":%s,"req_id":%d}\' % (method.encode(),',
        'b\'{"method":"%s","params":%s,"req_id":%d}\' % (method.replace("unsubscribe", "add_order").encode(),',
        ASKED, "a method in the wrong place",
    ),
    Mutant(
        "what nobody knows is read as nothing", "connectors/venues/kraken/asked.py",
        "        return [Asked(method)]\n", "        return []\n",
        ASKED, "an open list in the place of a closed one",
    ),
]  # fmt: skip
