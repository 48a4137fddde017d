"""/budgets: limits of money, what was spent of them, approvals.

A tenant's people see its budget and those of its keys (ops/tenant_budgets.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pihub.domain.budget import AtLimit, Budget
from pihub.errors import BadRequest, NotFound
from pihub.http.control.operation import Call, Operation
from pihub.http.control.paging import Page, PageQuery
from pihub.http.control.shapes import Input, Output
from pihub.insight.live import NANO
from pihub.ops.budgets import BudgetState, Word

Usd = Annotated[float, Meta(ge=0, le=281_474, description="USD; 0: no limit")]


class BudgetView(Output, frozen=True):
    """A budget; amounts in USD, null: no limit."""

    id: int
    scope: str
    name: str
    per_day_usd: float | None
    per_month_usd: float | None
    soft_percent: int
    at_limit: AtLimit
    spent_today_usd: float
    spent_this_month_usd: float
    reserved_usd: float
    approved_today_usd: float
    approved_this_month_usd: float
    state: Word


class BudgetBody(Input, frozen=True):
    scope: Literal["tenant", "user", "key", "model"]
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    per_day_usd: Usd = 0.0
    per_month_usd: Usd = 0.0
    soft_percent: Annotated[int, Meta(ge=1, le=100)] = 80
    at_limit: AtLimit = "refuse"


class ApprovalBody(Input, frozen=True):
    usd: Annotated[float, Meta(gt=0, le=281_474)]
    period: Literal["day", "month"] = "day"


def shown(state: BudgetState) -> BudgetView:
    budget = state.budget
    return BudgetView(
        id=state.id,
        scope=budget.scope,
        name=budget.name,
        per_day_usd=budget.day_nano / NANO or None,
        per_month_usd=budget.month_nano / NANO or None,
        soft_percent=budget.soft_percent,
        at_limit=budget.at_limit,
        spent_today_usd=state.spent_day / NANO,
        spent_this_month_usd=state.spent_month / NANO,
        reserved_usd=state.reserved / NANO,
        approved_today_usd=state.extra_day / NANO,
        approved_this_month_usd=state.extra_month / NANO,
        state=state.state,
    )


def _list(call: Call) -> Page[BudgetView]:
    rows = [shown(state) for state in call.services.budgets.states()]
    return call.pager.whole(rows, lambda row: (row.id,))


def _one(call: Call) -> BudgetView:
    return shown(call.services.budgets.one(call.path["number"]))


def _put(call: Call) -> BudgetView:
    body: BudgetBody = call.body
    budget = Budget(
        scope=body.scope,
        name=_name(call, body),
        day_nano=round(body.per_day_usd * NANO),
        month_nano=round(body.per_month_usd * NANO),
        soft_percent=body.soft_percent,
        at_limit=body.at_limit,
    )
    return shown(call.services.budgets.put(budget))


def _delete(call: Call) -> BudgetView:
    state = call.services.budgets.one(call.path["number"])
    call.services.budgets.delete(state.id)
    return shown(state)


def _approve(call: Call) -> BudgetView:
    state = call.services.budgets.one(call.path["number"])
    body: ApprovalBody = call.body
    nano = round(body.usd * NANO)
    return shown(
        call.services.budgets.approve(state.id, body.period, nano, call.actor.name)
    )


def _name(call: Call, body: BudgetBody) -> str:
    """Tenants and keys by number; both may be given by name. Raises BadRequest."""
    if body.scope not in ("tenant", "key"):
        return body.name
    tenant = call.actor.tenant
    rows = [r for r in call.services.keys.list() if tenant is None or r.tenant == tenant]
    if body.scope == "tenant":
        found = {str(r.tenant) for r in rows if body.name in (str(r.tenant), r.tenant_name)}
    else:
        live = [r for r in rows if not r.revoked]
        found = {str(r.id) for r in live if body.name in (str(r.id), r.name)}
    if len(found) != 1:
        what = "several" if found else "no"
        raise BadRequest(f"{what} {body.scope} named {body.name!r}: give its number", param="name")
    return found.pop()


OPERATIONS = (
    Operation(
        "GET",
        "/budgets",
        "budgets:read",
        "All budgets and what was spent of them; number 0 is the hub's own",
        _list,
        Page[BudgetView],
        query=PageQuery,
        tenanted=True,
    ),
    Operation(
        "GET", "/budgets/{number:int}", "budgets:read", "One budget", _one, BudgetView,
        errors=(NotFound,), tenanted=True,
    ),
    Operation(
        "POST",
        "/budgets",
        "budgets:write",
        "Sets the budget of a scope and name, in force at once",
        _put,
        BudgetView,
        body=BudgetBody,
        tenanted=True,
    ),
    Operation(
        "DELETE", "/budgets/{number:int}", "budgets:write", "Removes a budget", _delete,
        BudgetView, errors=(NotFound,), tenanted=True,
    ),
    Operation(
        "POST",
        "/budgets/{number:int}/approvals",
        "budgets:write",
        "Lets more be spent today or this month",
        _approve,
        BudgetView,
        body=ApprovalBody,
        errors=(NotFound,),
        tenanted=True,
    ),
)  # fmt: skip
