"""What hftbacktest shows of many small markets while orders come and go; one process for all.

    python hftbacktest_cases.py RUNNER CASES.json

RUNNER is the file of hftbot.backtest.hftbacktest_run, which knows how to build a backtest of a
job. Prints one list for each case: what the other engine showed after each step of its script.
"""

import importlib.util
import json
import sys

NO_TICKS = 1 << 62


def shown(hbt, case):
    """Clock, touch, position, count of trades, balance, fees, and every order that it knows."""
    state, depth = hbt.state_values(0), hbt.depth(0)
    orders = []
    rows = hbt.orders(0).values()
    while rows.has_next():
        order = rows.get()
        full = order.status == 3
        orders.append([
            int(order.order_id), int(order.price_tick), int(order.status), int(order.req),
            round(order.leaves_qty / case["lot_size"]),
            int(order.exec_price_tick) if full else 0,
            round(order.exec_qty / case["lot_size"]) if full else 0,
            0 if order.req else int(order.exch_timestamp)])
    return [int(hbt.current_timestamp), int(depth.best_bid_tick), int(depth.best_ask_tick),
            round(state.position / case["lot_size"]), int(state.num_trades), sorted(orders),
            float(state.balance), float(state.fee)]


def played(hbt, case):
    """The answers to a script: codes of requests, and what was shown after time went on."""
    tick, lot = case["tick_size"], case["lot_size"]
    told = []
    for what, *words in case["script"]:
        if what == "elapse":
            told.append([int(hbt.elapse(words[0])), shown(hbt, case)])
            hbt.clear_inactive_orders(0)
        elif what == "submit":
            order_id, side, ticks, lots, tif = words
            send = hbt.submit_sell_order if side else hbt.submit_buy_order
            told.append(int(send(0, order_id, ticks * tick, lots * lot, tif, 0, False)))
        elif what == "cancel":
            told.append(int(hbt.cancel(0, words[0], False)))
        else:
            order_id, ticks, lots = words
            told.append(int(hbt.modify(0, order_id, ticks * tick, lots * lot, False)))
    return told


def main():
    spec = importlib.util.spec_from_file_location("runner", sys.argv[1])
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    with open(sys.argv[2], encoding="utf-8") as file:
        cases = json.load(file)
    print(json.dumps([played(runner.build(case), case) for case in cases]))


if __name__ == "__main__":
    main()
