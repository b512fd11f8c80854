/* SPDX-License-Identifier: Apache-2.0 */
/* What sim.py wrote beside this: images, each from a multiple of 4, results that the integer
 * reference gives for them, the stream of weights. */
    .section .rodata
    .global images, expected, weights
    .balign 4
images:
    .incbin "images.bin"
    .balign 4
expected:
    .incbin "expected.bin"
    .balign 4
weights:
    .incbin "weights.bin"
