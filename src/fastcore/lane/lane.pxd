"""One instrument's hot half, inbound: a frame becomes a book that may be traded on."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.codec.kraken cimport KrakenDecoder
from fastcore.lane.desk cimport LaneDesk
from fastcore.market.book cimport OrderBook
from fastcore.market.checksum cimport KrakenChecksum
from fastcore.market.fair cimport FairPrice
from fastcore.probe.trackers cimport Trackers

cdef enum:  # bits of an answer; lane.py shows them to Python as EVENT_*
    BIT_BOOK = 1
    BIT_TOP = 2
    BIT_TRADE = 4
    BIT_SNAPSHOT = 8
    BIT_RESYNC = 16
    BIT_OTHER = 32
    BIT_COLD = 64
    BIT_BAD = 128
    BIT_HEARTBEAT = 256

cdef enum:  # of the decoder
    KIND_COLD = 0
    KIND_BOOK_UPDATE = 1
    KIND_BOOK_SNAPSHOT = 2
    KIND_TRADE = 3
    KIND_HEARTBEAT = 4
    INEXACT = -5

cdef enum:
    EMPTY = 0               # BookTrust
    SUSPECT = 1
    TRUSTED = 2
    BOOK_UPDATE = 4         # trackers
    FAIR_PRICE_CALC = 5

cdef enum:  # why a book became suspect
    REASON_NONE = 0
    REASON_CHECKSUM = 1
    REASON_CROSSED = 2
    REASON_INEXACT = 3
    REASON_LEVEL = 4


@cython.final
cdef class Lane:
    cdef readonly int64_t instrument        # also the decoder's index of the symbol
    cdef readonly KrakenDecoder decoder     # may be shared by several lanes
    cdef readonly OrderBook book
    cdef readonly KrakenChecksum checksum   # or None
    cdef readonly FairPrice fair            # or None
    cdef readonly Trackers trackers         # or None
    cdef readonly double fair_ticks         # microprice, 0 while there is none
    cdef readonly int64_t last_error        # of the decoder, negative; 0 = none
    cdef readonly int64_t resync_reason     # REASON_*
    # counters
    cdef readonly int64_t book_frames       # applied
    cdef readonly int64_t trade_frames
    cdef readonly int64_t ignored           # book updates while the book was not trusted
    cdef readonly int64_t resyncs
    cdef readonly int64_t bad_frames

    @cython.locals(started_ns=int64_t)
    cpdef int64_t on_frame(self, object buffer, Py_ssize_t padding,
                           int64_t recv_ns) except? -1
    cpdef int64_t apply(self, int64_t recv_ns) noexcept nogil
    cpdef int64_t reset(self) noexcept nogil

    @cython.locals(kind=int64_t)
    cdef int64_t _sort(self, int64_t recv_ns, int64_t started_ns) noexcept nogil
    cdef int64_t _failed(self, int64_t error) noexcept nogil
    @cython.locals(kind=int64_t, i=int64_t, code=int64_t, moved=int64_t, wrong=int64_t,
                   side=int64_t, ticks=int64_t, lots=int64_t, bits=int64_t)
    cdef int64_t _book(self, int64_t recv_ns, int64_t started_ns) noexcept nogil
    @cython.locals(started_ns=int64_t)
    cdef void _price(self) noexcept nogil
    cdef int64_t _suspect(self, int64_t reason) noexcept nogil


@cython.locals(orders=int64_t, good=int64_t, bits=int64_t, now_us=int64_t, now_ns=int64_t,
               handle=int64_t, side=int64_t, edge=double, gap=double)
cpdef object replay(Lane lane, LaneDesk desk, list frames, int64_t edge_ticks,
                    int64_t lots=*, Py_ssize_t padding=*, int64_t now_ns=*)
