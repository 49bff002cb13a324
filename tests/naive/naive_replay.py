"""A replay written the obvious way: one event at a time, dictionaries and lists, no windows.

It is the twin of fastcore.sim.replay; queue, fee and latency models have twins of their own.
"""

import math

from fastcore.sim import replay_codes as codes
from fastcore.sim.fees import traded_value
from fastcore.sim.queue import after_depth, after_trade, lots_reached

NONE = None


def rounded(x):
    return math.floor(x + 0.5) if x >= 0 else -math.floor(-x + 0.5)


class NaiveBook:
    """Levels by key (bid ticks, minus ask ticks); crossed ones stay but are never the best."""

    def __init__(self, tick, lot):
        self.tick, self.lot = tick, lot
        self.levels = [{}, {}]
        self.best = [NONE, NONE]
        self.low = [math.inf, math.inf]

    def below(self, side, start):
        found = [key for key in self.levels[side] if self.low[side] <= key < start]
        return max(found) if found else NONE

    def put(self, side, key, quantity):
        before = self.levels[side].pop(key, 0.0)
        if quantity / self.lot >= 0.5:
            self.levels[side][key] = quantity
            self.low[side] = min(self.low[side], key)
            if self.best[side] is NONE or key > self.best[side]:
                self.best[side] = key
                other = self.best[1 - side]
                if other is not NONE and key + other >= 0:
                    self.best[1 - side] = self.below(1 - side, -key)
        elif key == self.best[side]:
            self.best[side] = self.below(side, key)
            self.renew(side)
        return before

    def renew(self, side):
        if self.best[side] is NONE:
            self.low[side] = math.inf

    def clear(self, side, price):
        if math.isfinite(price):
            last = rounded(price / self.tick) * (1 - 2 * side)
            best = self.best[side]
            for key in [key for key in self.levels[side]
                        if best is not NONE and last <= key <= best]:
                del self.levels[side][key]
            self.best[side] = self.below(side, last - 1)
        else:
            self.levels[side].clear()
            self.best[side] = NONE
        self.renew(side)

    def row(self, row):
        """Apply a depth row; (side, key, quantity before) or None for a clear."""
        kind, side, price, quantity = row["kind"], row["side"], row["price"], row["quantity"]
        if kind == codes.CLEAR_ROW:
            for cleared in ([side] if side is not None else [0, 1]):
                self.clear(cleared, price if side is not None else math.nan)
            return None
        key = rounded(price / self.tick) * (1 - 2 * side)
        return side, key, self.put(side, key, quantity)


class NaiveAsset:
    def __init__(self, rows, tick, lot, latency, fees, queue, power, partial):
        self.tick, self.lot, self.latency, self.fees = tick, lot, latency, fees
        self.queue, self.power, self.partial = queue, power, partial
        self.seen = [row for row in rows if row["local"]]
        self.happened = [row for row in rows if row["exchange"]]
        self.here, self.there = NaiveBook(tick, lot), NaiveBook(tick, lot)
        self.requests, self.responses = [], []
        self.known = {}
        self.resting = []
        self.spent = {}
        self.position = 0
        self.balance = self.fee = 0.0
        self.told, self.filled, self.traded = [], [], []
        self.bits = 0

    def times(self):
        return [self.seen[0]["local_ns"] if self.seen else math.inf,
                self.responses[0]["at"] if self.responses else math.inf,
                self.happened[0]["exch_ns"] if self.happened else math.inf,
                self.requests[0]["at"] if self.requests else math.inf]

    def process(self, slot):
        [self.see, self.receive, self.happen, self.serve][slot]()

    # here
    def see(self):
        row = self.seen.pop(0)
        self.bits |= codes.WAKE_FEED
        if row["kind"] == codes.TRADE_ROW:
            if row["side"] is not None:
                self.bits |= codes.WAKE_TRADE
                self.traded.append((row["side"], rounded(row["price"] / self.tick),
                                    rounded(row["quantity"] / self.lot), row["exch_ns"],
                                    row["local_ns"]))
        elif row["kind"] == codes.CLEAR_ROW or (
                row["side"] is not None and row["kind"] in (codes.DEPTH_ROW, codes.SNAPSHOT_ROW)):
            self.bits |= codes.WAKE_DEPTH
            self.here.row(row)

    def send(self, order, request, now, **changes):
        order.update(request=request, sent=now)
        delay = self.latency.entry(now)
        message = {**order, **changes}
        if delay < 0:
            message.update(request=codes.REFUSED, exec_lots=0,
                           status=codes.EXPIRED if request == codes.NEW else codes.REJECTED)
            self.push(self.responses, now - delay, message)
        else:
            self.push(self.requests, now + delay, message)

    @staticmethod
    def push(bus, at, message):
        bus.append({**message, "at": max(at, bus[-1]["at"]) if bus else at})

    def ended(self, order):
        return order["status"] in (codes.EXPIRED, codes.FILLED, codes.CANCELED)

    def submit(self, now, order_id, side, ticks, lots, tif, order_type):
        if lots <= 0:
            return codes.INVALID
        if order_id in self.known:
            return codes.ID_EXISTS
        order = {"id": order_id, "side": side, "ticks": ticks, "lots": lots, "leaves": lots,
                 "tif": tif, "type": order_type, "status": codes.UNSENT, "exec_ticks": 0,
                 "exec_lots": 0, "maker": 0, "exch_ns": 0}
        self.known[order_id] = order
        self.send(order, codes.NEW, now)
        return codes.OK

    def ask(self, order_id):
        order = self.known.get(order_id)
        if order is None:
            return codes.ORDER_UNKNOWN
        if order["request"]:
            return codes.REQUEST_PENDING
        return codes.INVALID_STATUS if self.ended(order) else codes.OK

    def cancel(self, now, order_id):
        if not self.ask(order_id):
            self.send(self.known[order_id], codes.CANCEL, now)
            return codes.OK
        return self.ask(order_id)

    def modify(self, now, order_id, ticks, lots):
        if self.ask(order_id):
            return self.ask(order_id)
        if lots <= 0:
            return codes.INVALID
        self.known[order_id]["ticks"] = ticks
        self.send(self.known[order_id], codes.MODIFY, now, leaves=lots)
        return codes.OK

    def receive(self):
        news = self.responses.pop(0)
        self.bits |= codes.WAKE_RESPONSE
        if news["exec_lots"]:
            sign = 1 - 2 * news["side"]
            quantity = news["exec_lots"] * self.lot
            value = traded_value(0, 1.0, news["exec_ticks"] * self.tick, quantity)
            self.position += news["exec_lots"] * sign
            self.balance -= value * sign
            self.fee += self.fees.fee(news["exec_ticks"] * self.tick, quantity, value,
                                      news["maker"])
            self.filled.append((news["id"], news["side"], news["exec_ticks"], news["exec_lots"],
                                news["maker"], news["exch_ns"], news["at"]))
        self.told.append((news["id"], news["request"], news["status"], news["ticks"],
                          news["exec_ticks"], news["exec_lots"], news["leaves"], news["maker"],
                          news["exch_ns"], news["at"]))
        order = self.known.get(news["id"])
        if order is None:
            return
        if news["request"] == codes.REFUSED:
            if order["sent"] == news["sent"]:
                if order["request"] == codes.NEW:
                    order["status"] = codes.EXPIRED
                order["request"] = codes.NOTHING
        else:
            sent = order["sent"]
            order.update(news, request=codes.NOTHING, sent=sent)

    # there
    def respond(self, order, request):
        self.push(self.responses, order["exch_ns"] + self.latency.response(order["exch_ns"]),
                  {**order, "request": request})
        order["exec_lots"] = 0

    def key(self, order):
        return order["ticks"] * (1 - 2 * order["side"])

    def happen(self):
        row = self.happened.pop(0)
        if row["kind"] == codes.CLEAR_ROW:
            self.there.row(row)
            self.spent = {(side, key): lots for (side, key), lots in self.spent.items()
                          if row["side"] not in (None, side)}
        elif row["side"] is None:
            return
        elif row["kind"] == codes.TRADE_ROW:
            self.trade(row)
        elif row["kind"] in (codes.DEPTH_ROW, codes.SNAPSHOT_ROW):
            old = list(self.there.best)
            side, key, before = self.there.row(row)
            self.spent.pop((side, key), None)
            for order in self.resting:
                if order["side"] == side and self.key(order) == key:
                    order["front"] = after_depth(self.queue, self.power, order["front"],
                                                 order["traded"], before, row["quantity"])
                    order["traded"] = 0.0
            best = self.there.best[side]
            if best is not NONE and (old[side] is NONE or best > old[side]):
                for order in list(self.resting):
                    if order["side"] != side and self.key(order) + best >= 0:
                        self.fill(order, order["leaves"], row["exch_ns"])

    def trade(self, row):
        side = 1 - row["side"]
        key = rounded(row["price"] / self.tick) * (1 - 2 * side)
        left = rounded(row["quantity"] / self.lot)
        for order in list(self.resting):
            if order["side"] != side or self.key(order) < key:
                continue
            if self.key(order) > key:
                self.fill(order, order["leaves"], row["exch_ns"])
                continue
            order["front"] = after_trade(order["front"], row["quantity"])
            order["traded"] += row["quantity"]
            lots = lots_reached(order["front"], self.lot)
            if lots > 0:
                order["front"] = 0.0
                if self.partial:
                    lots = min(lots, left, order["leaves"])
                    left -= lots
                else:
                    lots = order["leaves"]
                if lots > 0:
                    self.fill(order, lots, row["exch_ns"])

    def execute(self, order, ticks, lots, maker, exch_ns, request):
        order["leaves"] -= lots
        order.update(exec_ticks=ticks, exec_lots=lots, maker=maker, exch_ns=exch_ns,
                     status=codes.PARTLY if order["leaves"] else codes.FILLED)
        self.respond(order, request)

    def fill(self, order, lots, exch_ns):
        self.execute(order, order["ticks"], lots, 1, exch_ns, codes.NOTHING)
        if not order["leaves"]:
            self.resting.remove(order)

    def serve(self):
        message = self.requests.pop(0)
        now = message["at"]
        if message["request"] == codes.NEW:
            self.arrive(message, now, codes.NEW)
            return
        order = next((order for order in self.resting if order["id"] == message["id"]), None)
        if order is None:
            message.update(status=codes.REJECTED, exch_ns=now, exec_lots=0)
            self.respond(message, codes.REFUSED)
        elif message["request"] == codes.CANCEL:
            self.resting.remove(order)
            self.end(order, codes.CANCELED, now, codes.CANCEL)
        else:
            stays = message["ticks"] == order["ticks"] and message["leaves"] <= order["leaves"]
            order["lots"] += message["leaves"] - order["leaves"]
            order.update(ticks=message["ticks"], leaves=message["leaves"])
            if stays:
                self.end(order, order["status"], now, codes.MODIFY)
            else:
                self.resting.remove(order)
                self.arrive(order, now, codes.MODIFY)

    def end(self, order, status, exch_ns, request):
        order.update(status=status, exch_ns=exch_ns)
        self.respond(order, request)

    def arrive(self, order, now, request):
        side = order["side"]
        best = self.there.best[1 - side]
        market = order["type"] == codes.MARKET
        crosses = best is not NONE and (market or self.key(order) + best >= 0)
        if not market and not crosses and order["tif"] in (codes.GTC, codes.GTX):
            self.rest(order, now, request)
        elif not crosses or (order["tif"] == codes.GTX and not market):
            self.end(order, codes.EXPIRED, now, request)
        elif self.partial:
            self.take(order, now, request, market)
        else:
            self.execute(order, -best * (1 - 2 * side), order["leaves"], 0, now, request)

    def rest(self, order, now, request):
        order["front"] = self.there.levels[order["side"]].get(self.key(order), 0.0)
        order["traded"] = 0.0
        self.resting.append(order)
        if request:
            status = codes.RESTING if order["lots"] == order["leaves"] else codes.PARTLY
            self.end(order, status, now, request)

    def take(self, order, now, request, market):
        side = 1 - order["side"]
        best = self.there.best[side]
        keys = sorted((key for key in self.there.levels[side]
                       if self.there.low[side] <= key <= best
                       and (market or self.key(order) + key >= 0)), reverse=True)
        shown = {key: rounded(self.there.levels[side][key] / self.lot)
                 - self.spent.get((side, key), 0) for key in keys}
        if order["tif"] != codes.FOK or sum(shown.values()) >= order["leaves"]:
            for key in keys:
                lots = min(shown[key], order["leaves"])
                if lots > 0:
                    self.spent[side, key] = self.spent.get((side, key), 0) + lots
                    self.execute(order, -key * (1 - 2 * order["side"]), lots, 0, now, request)
                    request = codes.NOTHING
                    if not order["leaves"]:
                        return
            if order["tif"] == codes.GTC and not market:
                self.rest(order, now, request)
                return
        self.end(order, codes.EXPIRED, now, request)

    def drop(self):
        self.known = {key: order for key, order in self.known.items() if not self.ended(order)}


class NaiveReplay:
    def __init__(self, assets):
        self.assets = assets
        self.now = min(min(asset.times()) for asset in assets)
        if self.now == math.inf:
            self.now = 0
        self.pending = []

    def instant(self):
        """Process all that happens at the next instant; returns it, or None at the end."""
        at = min(min(asset.times()) for asset in self.assets)
        if at == math.inf:
            return None
        while True:
            slots = [(t, i, slot) for i, asset in enumerate(self.assets)
                     for slot, t in enumerate(asset.times())]
            t, i, slot = min(slots)
            if t > at:
                return at
            self.assets[i].process(slot)

    def next(self):
        return min(min(asset.times()) for asset in self.assets)

    def goto(self, until):
        self.pending = []
        until = max(until, self.now)
        while self.next() <= until:
            self.instant()
        if self.next() == math.inf:
            return 1
        self.now = until
        return 0

    def step(self, until, wake):
        until = max(until, self.now)
        if not self.pending:
            while self.next() <= until:
                tops = [self.top(asset) for asset in self.assets]
                for asset in self.assets:
                    asset.bits = 0
                at = self.instant()
                for i, asset in enumerate(self.assets):
                    if asset.bits & codes.WAKE_DEPTH and self.top(asset) != tops[i]:
                        asset.bits |= codes.WAKE_TOP
                    if asset.bits & wake:
                        self.pending.append((i, asset.bits))
                if self.pending:
                    self.now = at
                    break
        if self.pending:
            self.woken, bits = self.pending.pop(0)
            return bits
        if self.next() == math.inf:
            return codes.END
        self.now = until
        return 0

    @staticmethod
    def top(asset):
        return [(best, asset.here.levels[side].get(best)) for side, best in
                enumerate(asset.here.best)]
