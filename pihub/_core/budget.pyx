# cython: language_level=3, binding=False, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True, auto_pickle=False, autotestdict=False
# cython: freethreading_compatible=False
"""Budgets shared by all processes: reserve before a call, settle after it.

Promise   never is more reserved and spent than a hard limit allows, over all processes;
          what a dead process had reserved is released, what it had settled is not.
Layout    | head | row x 64 | slot x reserved cells | (ph_budget.h)
Writers   a reservation: the slot's own process. Spent: anyone, by compare-and-swap.
          Limits: the control process. A dead slot's cells: the arbiter, by recover().
Cost      reserve: a store and (slots + 2) loads a row; settle: a CAS a row and window.
Failure   a process killed anywhere leaves at most its reservation, until recover(). Two that
          race for the last of a budget may both be refused; never are both admitted.
"""
cimport cython
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena, ph_head
from pihub._core.atomics cimport ph_load_acq, ph_load_rlx, ph_store_rlx

MAX = PH_BUDGET_MAX


@cython.final
cdef class Budget:
    """Budget(arena, region, rows, slots); RAM: rows x (64 + 8 x slots)."""

    def __cinit__(self, Arena arena not None, str region not None, uint32_t rows, uint32_t slots):
        need = Budget.size_for(rows, slots)
        self.arena = arena
        self.b.row = <ph_budget_row *> arena.open(region, PH_KIND_BUDGET, need, rows, slots, 0, 0)
        self.b.slots = <uint8_t *> (self.b.row + (rows + 1) // 2 * 2)
        self.b.stride = ph_budget_stride(rows)
        self.b.rows = rows
        self.b.n_slots = slots

    @staticmethod
    def size_for(uint32_t rows, uint32_t slots):
        """Bytes of a region. ValueError for no rows, no slots or more than 2**20 rows."""
        if not 1 <= rows <= 1 << 20 or not 1 <= slots <= 65:
            raise ValueError(f"1 to 2**20 rows and 1 to 65 slots, not {rows}, {slots}")
        return sizeof(ph_head) + (rows + 1) // 2 * 128 + slots * ph_budget_stride(rows)

    @property
    def rows(self):
        return self.b.rows

    cdef int check(self, uint32_t slot, uint32_t day, uint32_t month) except -1:
        if slot >= self.b.n_slots:
            raise IndexError(f"slot {slot} of {self.b.n_slots}")
        if day > 0xFFFF or month > 0xFFFF:
            raise ValueError(f"a window's number has 16 bits, not {day}, {month}")
        return 0

    cdef int parts(self, tuple rows, uint32_t *out) except -1:
        cdef Py_ssize_t n = PyTuple_GET_SIZE(rows)
        cdef Py_ssize_t i
        if n > PH_BUDGET_PARTS:
            raise ValueError(f"at most {PH_BUDGET_PARTS} rows at once, not {n}")
        self.arena.must_write()
        for i in range(n):
            out[i] = <object> <PyObject *> PyTuple_GET_ITEM(rows, i)
            if out[i] >= self.b.rows:
                raise IndexError(f"row {out[i]} of {self.b.rows}")
        return <int> n

    cdef ph_budget_row *at(self, uint32_t row) except NULL:
        if row >= self.b.rows:
            raise IndexError(f"row {row} of {self.b.rows}")
        return self.b.row + row

    def find(self, uint64_t ident, bint claim=False):
        if ident == 0:
            raise ValueError("0 is the id of a free row")
        if claim:
            self.arena.must_write()
        return ph_budget_find(&self.b, ident, claim)

    def limit(
        self, uint32_t row, int64_t day=0, int64_t month=0, int64_t soft_day=0,
        int64_t soft_month=0,
    ):
        cdef ph_budget_row *r = self.at(row)
        self.arena.must_write()
        for amount in (day, month, soft_day, soft_month):
            if not 0 <= amount <= PH_BUDGET_MAX:
                raise ValueError(f"a limit is 0 to {MAX}, not {amount}")
        ph_store_rlx(&r.limit[0], <uint64_t> day)
        ph_store_rlx(&r.limit[1], <uint64_t> month)
        ph_store_rlx(&r.soft[0], <uint64_t> soft_day)
        ph_store_rlx(&r.soft[1], <uint64_t> soft_month)

    def begin(self, uint32_t slot, uint32_t incarnation):
        self.check(slot, 0, 0)
        self.arena.must_write()
        ph_budget_begin(&self.b, slot, incarnation)

    def reserve(
        self, uint32_t slot, tuple rows not None, int64_t amount, uint32_t day, uint32_t month,
        bint force=False,
    ):
        cdef uint32_t[8] at
        cdef uint16_t[2] window
        cdef int n = self.parts(rows, at)
        self.check(slot, day, month)
        if not 0 <= amount <= PH_BUDGET_MAX:
            raise ValueError(f"an amount is 0 to {MAX}, not {amount}")
        window[0] = <uint16_t> day
        window[1] = <uint16_t> month
        return ph_budget_reserve(&self.b, slot, at, n, amount, window, force)

    def settle(
        self, uint32_t slot, tuple rows not None, int64_t reserved, int64_t actual,
        uint32_t day, uint32_t month,
    ):
        cdef uint32_t[8] at
        cdef uint16_t[2] window
        cdef int n = self.parts(rows, at)
        self.check(slot, day, month)
        if not 0 <= reserved <= PH_BUDGET_MAX or not -PH_BUDGET_MAX <= actual <= PH_BUDGET_MAX:
            raise ValueError(f"not amounts: {reserved}, {actual}")
        window[0] = <uint16_t> day
        window[1] = <uint16_t> month
        ph_budget_settle(&self.b, slot, at, n, reserved, actual, window)

    def spend(
        self, uint32_t row, uint32_t day, int64_t amount_day, uint32_t month,
        int64_t amount_month,
    ):
        cdef ph_budget_row *r = self.at(row)
        self.check(0, day, month)
        self.arena.must_write()
        for amount in (amount_day, amount_month):
            if not -PH_BUDGET_MAX <= amount <= PH_BUDGET_MAX:
                raise ValueError(f"not an amount: {amount}")
        ph_budget_spend(r, 0, <uint16_t> day, amount_day)
        ph_budget_spend(r, 1, <uint16_t> month, amount_month)

    def state(self, uint32_t row, uint32_t day, uint32_t month):
        cdef ph_budget_row *r = self.at(row)
        self.check(0, day, month)
        return (
            ph_budget_spent(r, 0, <uint16_t> day), ph_budget_spent(r, 1, <uint16_t> month),
            ph_budget_reserved(&self.b, row),
            ph_load_rlx(&r.limit[0]), ph_load_rlx(&r.limit[1]),
            ph_load_rlx(&r.soft[0]), ph_load_rlx(&r.soft[1]),
        )

    def held(self, uint32_t slot, uint32_t row):
        self.at(row)
        self.check(slot, 0, 0)
        return <int64_t> ph_load_acq(ph_budget_cell(&self.b, slot, row))

    def recover(self, uint32_t slot, uint32_t incarnation):
        self.check(slot, 0, 0)
        self.arena.must_write()
        return ph_budget_recover(&self.b, slot, incarnation)

    def used(self):
        cdef uint32_t row, n = 0
        for row in range(self.b.rows):
            n += ph_load_rlx(&self.b.row[row].id) != 0
        return n
