"""Kraken's REST answers for tests, and which recorded files hold more of them."""

from __future__ import annotations

import json

from hftbot.venue.kraken import codec

ORDER = {"refid": None, "userref": 7, "cl_ord_id": codec.client_id_text(99), "status": "open",
         "opentm": 1721519777.553314, "expiretm": 0, "vol": "1.25000000",
         "vol_exec": "0.37500000", "cost": "11253.7", "fee": "0.00000", "price": "30010.0",
         "oflags": "post,fciq", "trades": ["TCCCTY-WE2O6-P3NB37"], "reason": None,
         "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "30010.0",
                   "price2": "0", "leverage": "none"}}
TRADE = {"ordertxid": "OQCLML-BW3P3-BUCMWZ", "pair": "XXBTZUSD", "time": 1700237532.1690326,
         "type": "sell", "ordertype": "limit", "price": "30010.00000", "cost": "600.20000",
         "fee": "0.10000", "vol": "0.02000000", "trade_id": 40274859, "maker": True}
PAIR = {"altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD",
        "cost_decimals": 5, "pair_decimals": 1, "lot_decimals": 8, "ordermin": "0.00005",
        "costmin": "0.5", "tick_size": "0.1", "status": "online", "fees": [[0, 0.4], [10000, 0.35]],
        "fees_maker": []}


def answered(result):
    return json.dumps({"error": [], "result": result}).encode()


# The reader's name in hftbot.venue.kraken.rest, and where its recordings are.
READ = {
    "server_time": ("*_server_time.json",), "system_status": ("*_system_status.json",
                                                              "*GetSystemStatus.txt"),
    "asset_pairs": ("*tradable_asset_pairs.json", "assetpairs_*.json", "*GetSymbols.txt",
                    "nautilus_http_asset_pairs.json"),
    "balance": ("asyncrs_account_balance.json", "*Account_GetBalances.txt"),
    "extended_balance": ("*extended_balance.json", "*GetAvailableBalances.txt"),
    "trade_volume": ("asyncrs_trade_volume*.json", "*GetTradeVolume.txt"),
    "api_key_info": ("*GetApiKeyInfo.txt",), "websockets_token": ("*_websockets_token.json",),
    "open_orders": ("*_open_orders.json", "*GetOpenOrders.txt"),
    "closed_orders": ("*_closed_orders.json", "*GetClosedOrders.txt"),
    "query_orders": ("*query_order_info.json", "*GetOrders.txt", "*GetOrders2.txt"),
    "trades_history": ("*_trades_history.json", "*GetUserTrades.txt"),
    "add_order": ("asyncrs_add_order.json", "*PlaceOrder.txt"),
    "add_order_batch": ("*add_order_batch.json", "*PlaceMultipleOrders.txt"),
    "cancel": ("*cancel_order.json", "*cancel_order_batch.json", "*cancel_all_orders.json",
               "*CancelOrder.txt", "*CancelAllOrders.txt", "*CancelMultipleOrders.txt")}
