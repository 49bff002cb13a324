"""python-kraken-sdk's SpotWSClient trades over the private socket, unmodified but for the URL."""


def test_it_trades_changes_waits_and_is_refused(exchange, peer):
    told = peer("sdk_trading.py", exchange("--fees", "kraken"))
    steps = told["trade"]
    assert steps["market"][:2] == ["pending_new", "new"]
    assert steps["market"][-1] == "filled"
    assert steps["ioc"] == steps["fok"] == ["pending_new", "new", "canceled"]
    assert steps["cash"][-1] == "filled"
    assert steps["validated"] == {"order_id": ""}
    assert steps["moved"] == ["BTC", "USD"]
    assert told["change"] == {"amended": "sdk-1", "edited": True, "canceled": [True, True, True],
                              "batch_canceled": 2}
    assert told["wait"] == {"stop": ["pending_new", "new"], "iceberg": ["pending_new", "new"],
                            "armed": True, "disarmed": "0", "all": 2}
    assert told["refusals"] == [
        [False, "EOrder:Tick size check failed"],
        [False, "Limit_price field must be a number_float"],
        [False, "Unsupported field: 'price' for the given msg type: add order"],
        [False, "EOrder:Insufficient funds"], [False, "EOrder:Unknown order"]]
    assert told["sequence_whole"]


def test_it_reads_both_answers_of_a_batch_cancel(exchange, peer):
    told = peer("sdk_trading.py", exchange("--switch", "batch_cancel_answer=documented",
                                           "--switch", "new_before_ioc=false"))
    assert told["change"]["batch_canceled"] == 2
    assert told["trade"]["ioc"] == ["pending_new", "canceled"]
