/**
 * Hand-checked spellings: what users type, a device as its tools call it, whether the word is meant to take it (+) or not (-), and where the
 * name of the device can be looked up.
 */
export const modelNameCases = `
a100 | NVIDIA A100-SXM4-40GB | + | PCI
A100 40GB | NVIDIA A100-SXM4-40GB | + | PCI
A100 80GB | NVIDIA A100-SXM4-40GB | - | PCI
A100-80 | NVIDIA A100 80GB PCIe | + | PCI
A100 SXM | NVIDIA A100-SXM4-80GB | + | PCI
A100 PCIe | NVIDIA A100-PCIE-40GB | + | PCI
A100 PCIe | NVIDIA A100-SXM4-80GB | - | PCI
NVIDIA A100 80GB PCIe | NVIDIA A100-PCIE-80GB | + | PCI
A100-64GB | NVIDIA A100-SXM-64GB | + | PCI
A100 | NVIDIA A100-SXM-64GB | + | PCI
H100 SXM | NVIDIA H100 80GB HBM3 | + | PCI
H100 SXM5 80GB | NVIDIA H100 80GB HBM3 | + | PCI
H100 PCIe | NVIDIA H100 80GB HBM3 | - | PCI
H100-80GB | NVIDIA H100 PCIe | + | PCI
H100 | NVIDIA GH200 480GB | - | PCI
H200 | NVIDIA H200 | + | PCI
H200 SXM | NVIDIA H200 | + | PCI
H200-SXM5-141GB | NVIDIA H200 | + | PCI
H200 NVL | NVIDIA H200 | - | PCI
H200 | NVIDIA H200 NVL | + | PCI
H200 141GB | NVIDIA H200 | + | PCI
GH200 | NVIDIA GH200 120GB | + | PCI
V100-32GB | Tesla V100-SXM2-32GB | + | PCI
V100 32GB | Tesla V100-SXM2-16GB | - | PCI
V100 SXM2 | Tesla V100-SXM2-32GB | + | PCI
tesla_v100-sxm2-16gb | Tesla V100-SXM2-16GB | + | PCI
V100 | Tesla V100S-PCIE-32GB | + | PCI
T4 | Tesla-T4-SHARED | + | GFD
Tesla T4 | NVIDIA T4 | + | PCI
RTX 3090 | NVIDIA GeForce RTX 3090 | + | PCI
RTX 3090 | NVIDIA GeForce RTX 3090 Ti | - | COMMON
rtx_4090 | NVIDIA GeForce RTX 4090 | + | PCI
RTX 6000 Ada | NVIDIA RTX 6000 Ada Generation | + | PCI
RTX 6000 Ada | NVIDIA RTX A6000 | - | PCI
RTX 6000 Ada | Quadro RTX 6000 | - | COMMON
A6000 | NVIDIA RTX A6000 | + | PCI
RTX A6000 | NVIDIA RTX 6000 Ada Generation | - | PCI
Quadro RTX 6000 | Quadro RTX 6000 | + | COMMON
Quadro RTX 6000 | NVIDIA RTX 6000 Ada Generation | - | PCI
RTX PRO 6000 | NVIDIA RTX PRO 6000 Blackwell Workstation Edition | + | PCI
RTX PRO 6000 | NVIDIA RTX 6000 Ada Generation | - | PCI
RTX 6000 | NVIDIA RTX PRO 6000 Blackwell Server Edition | - | PCI
B200 | NVIDIA GB200 | - | PCI
B300 | NVIDIA B300 SXM6 AC | + | PCI
DGX Spark | NVIDIA GB10 | + | COMMON
Orin | Orin (nvgpu) | + | COMMON
Thor | NVIDIA Thor | + | COMMON
A100 | NVIDIA A100 | + | PCI
A100-SXM4-80GB | NVIDIA A100 | - | PCI
MI250X | AMD Instinct MI250X | + | ROCMSPEC
MI250 | AMD Instinct MI250X | - | ROCMSPEC
Instinct MI300X OAM | AMD Instinct MI300X | + | ROCMSPEC
MI300X | AMD Instinct MI300X OAM | + | ROCMSPEC
MI300 | AMD Instinct MI300A | + | ROCMSPEC
MI50 | Radeon Instinct MI50 | + | ROCMSPEC
mi60 | Radeon Instinct MI60 | + | ROCMSPEC
W7900 | AMD Radeon PRO W7900 | + | ROCMSPEC
Max 1550 | Intel(R) Data Center GPU Max 1550 | + | INTELLBL
Max 1550 | Intel(R) Data Center GPU Max 1100 | - | INTELLBL
Data Center GPU Max | Intel(R) Data Center GPU Max 1100 | + | INTELLBL
Flex 140 | Intel(R) Data Center GPU Flex 140 | + | INTELLBL
A100 SXM4 40GB | GA100 [A100 SXM4 40GB] | + | PCI
A100-PCIE-80GB | GA100 [A100 SXM4 40GB] | - | PCI
Tesla T4 | TU104GL [Tesla T4] | + | PCI
A2 | GA107GL [A2 / A16] | - | PCI
MI250X | Aldebaran/MI200 [Instinct MI250X] | + | PCI
MI250X | Aldebaran/MI200 [Instinct MI250X/MI250] | - | PCI
MI50 | Vega 20 [Radeon Pro VII/Radeon Instinct MI50 32GB] | - | PCI
Max 1550 | Ponte Vecchio XT (2 Tile) [Intel Data Center GPU Max 1550] | + | PCI
H800 | NVIDIA H800 | + | H800
H800-80GB | NVIDIA H800 | + | H800
H800 NVL | NVIDIA H800 | - | H800
A800 | NVIDIA A800-SXM4-40GB | + | PCI
`;
