/* Hides instruction sets from a program, for benchmarks.inference --isa.

Loaded with LD_PRELOAD, it makes the processor fault on CPUID (arch_prctl(2), ARCH_SET_CPUID) and
answers it without the bits in CPUID_HIDDEN: those of EBX, ECX and EDX of leaf 7, and of EAX of leaf
7.1, in hexadecimal. Every library then takes the path for the lesser processor, also those without a
setting for it (onnxruntime, the decoders). Children inherit it. The C library itself chose its string
functions before this file was loaded. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_SET_CPUID = 0x1012, FAULT_OF_THE_KERNEL = 0x80, LENGTH = 2 };

static unsigned hidden[4];

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    if (info->si_code != FAULT_OF_THE_KERNEL || code[0] != 0x0f || code[1] != 0xa2) {
        signal(number, SIG_DFL); /* a real fault: it happens again, and kills */
        return;
    }
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX], eax, ebx, ecx, edx;
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, part, eax, ebx, ecx, edx);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    if (leaf == 7 && part == 0) {
        ebx &= ~hidden[0];
        ecx &= ~hidden[1];
        edx &= ~hidden[2];
    }
    if (leaf == 7 && part == 1) eax &= ~hidden[3];
    registers[REG_RAX] = eax;
    registers[REG_RBX] = ebx;
    registers[REG_RCX] = ecx;
    registers[REG_RDX] = edx;
    registers[REG_RIP] += LENGTH;
}

__attribute__((constructor)) static void start(void) {
    const char *text = getenv("CPUID_HIDDEN");
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (!text) return;
    if (sscanf(text, "%x,%x,%x,%x", hidden, hidden + 1, hidden + 2, hidden + 3) != 4 ||
        sigaction(SIGSEGV, &action, NULL) || syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0)) {
        perror("this machine cannot hide instruction sets");
        _exit(1);
    }
}
