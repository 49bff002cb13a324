from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "the journal is written as little-endian words"
    #endif

    static uint32_t fastcore_crc_table[16][256];

    static void fastcore_crc_prepare(void) {
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t crc = i;
            for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
            fastcore_crc_table[0][i] = crc;
        }
        for (int row = 1; row < 16; ++row)
            for (uint32_t i = 0; i < 256; ++i) {
                uint32_t crc = fastcore_crc_table[row - 1][i];
                fastcore_crc_table[row][i] = (crc >> 8) ^ fastcore_crc_table[0][crc & 255];
            }
    }

    static inline uint32_t fastcore_crc_half(uint64_t word, int row) {
        const uint32_t (*table)[256] = &fastcore_crc_table[row];
        return table[7][word & 255] ^ table[6][word >> 8 & 255] ^ table[5][word >> 16 & 255]
             ^ table[4][word >> 24 & 255] ^ table[3][word >> 32 & 255]
             ^ table[2][word >> 40 & 255] ^ table[1][word >> 48 & 255] ^ table[0][word >> 56];
    }

    /* zlib's crc32, sixteen bytes a step. */
    static inline uint32_t fastcore_crc(const unsigned char *at, uint64_t size) {
        uint32_t crc = 0xFFFFFFFFu;
        for (; size >= 16; at += 16, size -= 16) {
            uint64_t words[2];
            memcpy(words, at, 16);
            crc = fastcore_crc_half(words[0] ^ crc, 8) ^ fastcore_crc_half(words[1], 0);
        }
        for (; size; --size) crc = (crc >> 8) ^ fastcore_crc_table[0][(crc ^ *at++) & 255];
        return ~crc;
    }

    static inline void fastcore_put_words(unsigned char *at, int64_t w0, int64_t w1, int64_t w2,
                                          int64_t w3, int64_t w4, int64_t w5, int64_t w6,
                                          int64_t w7) {
        int64_t words[8] = {w0, w1, w2, w3, w4, w5, w6, w7};
        memcpy(at, words, 64);
    }

    /* The payload is in place at +24. The length is stored last: it makes the record exist. */
    static inline void fastcore_commit(unsigned char *at, uint32_t length, uint32_t kind,
                                       uint64_t sequence) {
        uint32_t crc;
        memcpy(at + 8, &sequence, 8);
        memcpy(at + 16, &kind, 4);
        memcpy(at + 20, &length, 4);
        crc = fastcore_crc(at + 8, length - 8);
        memcpy(at + 4, &crc, 4);
        __atomic_store_n((uint32_t *)at, length, __ATOMIC_RELEASE);
    }

    /* Length of the whole record at this offset if it carries that sequence, else 0. */
    static inline int64_t fastcore_record_length(const unsigned char *content, int64_t size,
                                                 int64_t at, uint64_t wanted) {
        uint32_t length, crc, again;
        uint64_t sequence;
        if (at < 0 || size - at < 24) return 0;
        content += at;
        memcpy(&length, content, 4);
        memcpy(&crc, content + 4, 4);
        memcpy(&sequence, content + 8, 8);
        memcpy(&again, content + 20, 4);
        if (length < 24 || length != again || (int64_t)length > size - at || sequence != wanted)
            return 0;
        return fastcore_crc(content + 8, length - 8) == crc ? length : 0;
    }

    static inline int64_t fastcore_word(const unsigned char *at) {
        int64_t word;
        memcpy(&word, at, 8);
        return word;
    }

    static inline void fastcore_wipe(unsigned char *at, int64_t size) {
        memset(at, 0, (size_t)size);
    }
    """
    void crc_prepare "fastcore_crc_prepare" ()
    void put_words "fastcore_put_words" (unsigned char *at, int64_t w0, int64_t w1, int64_t w2,
                                         int64_t w3, int64_t w4, int64_t w5, int64_t w6,
                                         int64_t w7)
    void commit "fastcore_commit" (unsigned char *at, uint32_t length, uint32_t kind,
                                   uint64_t sequence)
    int64_t record_length "fastcore_record_length" (const unsigned char *content, int64_t size,
                                                    int64_t at, uint64_t wanted)
    int64_t word_at "fastcore_word" (const unsigned char *at)
    void wipe "fastcore_wipe" (unsigned char *at, int64_t size)
