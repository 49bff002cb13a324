"""python-kraken-sdk's Market client: the venue's time, assets and markets."""

import json
import sys

from kraken.spot import Market


def main(endpoint_file):
    with open(endpoint_file, encoding="utf-8") as file:
        facts = json.load(file)
    market = Market(url=facts["rest_url"])
    return {"status": market.get_system_status(), "pairs": market.get_asset_pairs()}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
