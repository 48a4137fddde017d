"""Routes and resources of both planes: `data` in the workers, `control` behind them."""
