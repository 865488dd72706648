/* Yardstick: places units one by one by asking every node every time, in plain C.
 *
 * Same rule as capsim's scheduling core with cpu, memory and GPU boards: LeastAllocated plus
 * BalancedAllocation, the first node on ties, the tightest boards first. No caches, no classes:
 * what a straightforward program does. */
#include <math.h>
#include <stdint.h>

typedef int64_t i64;

static int fits(i64 n, i64 R, i64 D, const i64 *offered, const i64 *used, const i64 *boards,
                const i64 *request, i64 devices, i64 milli) {
    for (i64 r = 0; r < R; r++)
        if (request[r] > 0 && request[r] > offered[n * R + r] - used[n * R + r]) return 0;
    for (i64 d = 0; d < D && devices > 0; d++)
        if (boards[n * D + d] >= milli) devices--;
    return devices <= 0;
}

static i64 score(i64 n, i64 R, const i64 *offered, const i64 *used, const i64 *request) {
    i64 points = 0, weights = 0;
    double share[2];
    int known = 0;
    for (i64 r = 0; r < 2; r++) {
        i64 capacity = offered[n * R + r], asked = used[n * R + r] + request[r];
        if (capacity == 0) continue;
        points += asked > capacity ? 0 : (capacity - asked) * 100 / capacity;
        weights++;
        share[known++] = fmin(1.0, (double)asked / (double)capacity);
    }
    double deviation = known == 2 ? fabs((share[0] - share[1]) / 2.0) : 0.0;
    return (weights ? points / weights : 0) + (i64)((1.0 - deviation) * 100.0);
}

static void take(i64 *boards, i64 D, i64 devices, i64 milli) {
    char taken[1024] = {0};
    for (; devices > 0; devices--) {
        i64 best = -1;
        for (i64 d = 0; d < D; d++)
            if (!taken[d] && boards[d] >= milli && (best < 0 || boards[d] < boards[best])) best = d;
        if (best < 0) return;
        boards[best] -= milli;
        taken[best] = 1;
    }
}

/* offered, used: [N, R]; boards: [N, D]; request: [T, R]; share: [T, 2]; template_of, out: [M]. */
void place(i64 N, i64 R, i64 D, i64 M, const i64 *offered, i64 *used, i64 *boards,
           const i64 *request, const i64 *share, const i64 *template_of, i64 *out) {
    for (i64 m = 0; m < M; m++) {
        const i64 *asked = request + template_of[m] * R;
        i64 devices = share[template_of[m] * 2], milli = share[template_of[m] * 2 + 1];
        i64 best = -1, top = -1;
        for (i64 n = 0; n < N; n++) {
            if (!fits(n, R, D, offered, used, boards, asked, devices, milli)) continue;
            i64 points = score(n, R, offered, used, asked);
            if (points > top) top = points, best = n;
        }
        out[m] = best;
        if (best < 0) continue;
        for (i64 r = 0; r < R; r++) used[best * R + r] += asked[r];
        take(boards + best * D, D, devices, milli);
    }
}
