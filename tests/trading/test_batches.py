"""Several new orders of one callback in one message, where the option asks for it: `batch_add`."""

from tests.support.trading_world import QTY, TradingWorld


def test_orders_of_one_callback_go_in_one_message_and_each_is_an_order_of_its_own() -> None:
    world = TradingWorld(options={"batch": "true"})
    since_ns = world.now_ns
    records = world.ask(*(world.order(1, QTY, far=50 + k) for k in range(4)))
    world.run(1)
    assert [record.denied for record in records] == [None] * 4
    assert world.methods(since_ns).count("batch_add") == 1
    assert "add_order" not in world.methods(since_ns)
    names = [record.client_order_id for record in records]
    assert [world.state(name) for name in names] == ["NEW"] * 4
    assert all(world.there(name).is_open for name in names)
    assert world.engine.tap.passed > 0
    assert not world.engine.tap.open()
    world.calm()


def test_one_alone_is_no_batch() -> None:
    world = TradingWorld(options={"batch": "true"})
    since_ns = world.now_ns
    name = world.bid()
    world.run(1)
    assert world.state(name) == "NEW"
    assert "batch_add" not in world.methods(since_ns)


def test_a_lost_answer_leaves_all_of_them_in_doubt_and_a_look_finds_each() -> None:
    world = TradingWorld(options={"batch": "true"})
    world.want(*(world.order(1, QTY, far=50 + k) for k in range(3)))
    world.run(0.001)
    world.cut(lands=True)
    world.run(1)
    world.calm()
    assert {str(order.state) for order in world.engine.oms.orders.values()} <= {"NEW"}
