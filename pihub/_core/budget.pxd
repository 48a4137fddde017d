"""Budget rows; the C side is include/ph_budget.h."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from pihub._core.arena cimport Arena
from pihub._core.atomics cimport ph_a64

cdef extern from "ph_budget.h" nogil:
    int64_t PH_BUDGET_MAX
    int PH_BUDGET_PARTS
    uint32_t PH_KIND_BUDGET

    ctypedef struct ph_budget_row:
        ph_a64 id
        ph_a64 *limit
        ph_a64 *soft

    ctypedef struct ph_budgets:
        ph_budget_row *row
        uint8_t *slots
        uint64_t stride
        uint32_t rows
        uint32_t n_slots

    ph_a64 *ph_budget_cell(const ph_budgets *b, uint32_t slot, uint32_t row)
    uint64_t ph_budget_stride(uint32_t rows)
    int64_t ph_budget_find(const ph_budgets *b, uint64_t id, int claim)
    int64_t ph_budget_spent(const ph_budget_row *r, int w, uint16_t window)
    int64_t ph_budget_reserved(const ph_budgets *b, uint32_t row)
    void ph_budget_spend(ph_budget_row *r, int w, uint16_t window, int64_t amount)
    int ph_budget_reserve(
        const ph_budgets *b, uint32_t slot, const uint32_t *rows, int n, int64_t amount,
        const uint16_t *window, int force)
    void ph_budget_settle(
        const ph_budgets *b, uint32_t slot, const uint32_t *rows, int n, int64_t reserved,
        int64_t actual, const uint16_t *window)
    void ph_budget_begin(const ph_budgets *b, uint32_t slot, uint64_t incarnation)
    uint32_t ph_budget_recover(const ph_budgets *b, uint32_t slot, uint64_t incarnation)


cdef class Budget:
    cdef Arena arena
    cdef ph_budgets b

    cdef int check(self, uint32_t slot, uint32_t day, uint32_t month) except -1
    cdef ph_budget_row *at(self, uint32_t row) except NULL
    cdef int parts(self, tuple rows, uint32_t *out) except -1
