/** Hand-checked spellings: what users type, a device as its tools call it, and whether the word is meant to take it (+) or not (-). */
export const modelNameCases = `
a100 | NVIDIA A100-SXM4-40GB | +
A100 40GB | NVIDIA A100-SXM4-40GB | +
A100 80GB | NVIDIA A100-SXM4-40GB | -
A100-80 | NVIDIA A100 80GB PCIe | +
A100 SXM | NVIDIA A100-SXM4-80GB | +
A100 PCIe | NVIDIA A100-PCIE-40GB | +
A100 PCIe | NVIDIA A100-SXM4-80GB | -
NVIDIA A100 80GB PCIe | NVIDIA A100-PCIE-80GB | +
A100-64GB | NVIDIA A100-SXM-64GB | +
A100 | NVIDIA A100-SXM-64GB | +
H100 SXM | NVIDIA H100 80GB HBM3 | +
H100 SXM5 80GB | NVIDIA H100 80GB HBM3 | +
H100 PCIe | NVIDIA H100 80GB HBM3 | -
H100-80GB | NVIDIA H100 PCIe | +
H100 | NVIDIA GH200 480GB | -
H200 | NVIDIA H200 | +
H200 SXM | NVIDIA H200 | +
H200-SXM5-141GB | NVIDIA H200 | +
H200 NVL | NVIDIA H200 | -
H200 | NVIDIA H200 NVL | +
H200 141GB | NVIDIA H200 | +
GH200 | NVIDIA GH200 120GB | +
V100-32GB | Tesla V100-SXM2-32GB | +
V100 32GB | Tesla V100-SXM2-16GB | -
V100 SXM2 | Tesla V100-SXM2-32GB | +
tesla_v100-sxm2-16gb | Tesla V100-SXM2-16GB | +
V100 | Tesla V100S-PCIE-32GB | +
T4 | Tesla-T4-SHARED | +
Tesla T4 | NVIDIA T4 | +
RTX 3090 | NVIDIA GeForce RTX 3090 | +
RTX 3090 | NVIDIA GeForce RTX 3090 Ti | -
rtx_4090 | NVIDIA GeForce RTX 4090 | +
RTX 6000 Ada | NVIDIA RTX 6000 Ada Generation | +
RTX 6000 Ada | NVIDIA RTX A6000 | -
RTX 6000 Ada | Quadro RTX 6000 | -
A6000 | NVIDIA RTX A6000 | +
RTX A6000 | NVIDIA RTX 6000 Ada Generation | -
Quadro RTX 6000 | Quadro RTX 6000 | +
Quadro RTX 6000 | NVIDIA RTX 6000 Ada Generation | -
RTX PRO 6000 | NVIDIA RTX PRO 6000 Blackwell Workstation Edition | +
RTX PRO 6000 | NVIDIA RTX 6000 Ada Generation | -
RTX 6000 | NVIDIA RTX PRO 6000 Blackwell Server Edition | -
B200 | NVIDIA GB200 | -
B300 | NVIDIA B300 SXM6 AC | +
DGX Spark | NVIDIA GB10 | +
Orin | Orin (nvgpu) | +
Thor | NVIDIA Thor | +
A100 | NVIDIA A100 | +
A100-SXM4-80GB | NVIDIA A100 | -
MI250X | AMD Instinct MI250X | +
MI250 | AMD Instinct MI250X | -
Instinct MI300X OAM | AMD Instinct MI300X | +
MI300X | AMD Instinct MI300X OAM | +
MI300 | AMD Instinct MI300A | +
MI50 | Radeon Instinct MI50 | +
mi60 | Radeon Instinct MI60 | +
W7900 | AMD Radeon PRO W7900 | +
Max 1550 | Intel(R) Data Center GPU Max 1550 | +
Max 1550 | Intel(R) Data Center GPU Max 1100 | -
Data Center GPU Max | Intel(R) Data Center GPU Max 1100 | +
Flex 140 | Intel(R) Data Center GPU Flex 140 | +
A100 SXM4 40GB | GA100 [A100 SXM4 40GB] | +
A100-PCIE-80GB | GA100 [A100 SXM4 40GB] | -
Tesla T4 | TU104GL [Tesla T4] | +
A2 | GA107GL [A2 / A16] | -
MI250X | Aldebaran/MI200 [Instinct MI250X] | +
MI250X | Aldebaran/MI200 [Instinct MI250X/MI250] | -
MI50 | Vega 20 [Radeon Pro VII/Radeon Instinct MI50 32GB] | -
Max 1550 | Ponte Vecchio XT (2 Tile) [Intel Data Center GPU Max 1550] | +
H800 | NVIDIA H800 | +
H800-80GB | NVIDIA H800 | +
H800 NVL | NVIDIA H800 | -
A800 | NVIDIA A800-SXM4-40GB | +
`;
