/** Sources of the rows of the catalogue. Each row names its sources by the keys of this table. */

/** A citation for each source. */
export const sources = {
  CC: 'NVIDIA, CUDA GPU compute capability, developer.nvidia.com/cuda-gpus',
  CCL: 'NVIDIA, legacy CUDA GPU compute capability, developer.nvidia.com/cuda-legacy-gpus',
  MIGU: 'NVIDIA, MIG user guide, supported GPUs, docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-gpus.html',
  MIGP: 'NVIDIA, MIG user guide, supported profiles, docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html',
  MIGPARTED: 'NVIDIA/mig-parted at bd7160f4, deployments/systemd/config-default.yaml',
  PCI: 'pci.ids of Debian, 0.0~2025.06.09',
  GFD: 'NVIDIA/k8s-device-plugin at 1b826acc, docs/gpu-feature-discovery/README.md',
  HTCONDOR: 'htcondor/htcondor at 7491a145, docs/man-pages/condor_gpu_discovery.rst',
  CMSSW38138: 'github.com/cms-sw/cmssw/issues/38138',
  HFHW: 'Hugging Face, hardware pages, huggingface.co/hardware',
  HFKERNEL:
    'Hugging Face, kernels, huggingface.co/kernels/drbh/gemmaq: supported hardware of capability 8.9, with its memory',
  HFCSV: 'huggingface.co/spaces/lambdabrendan/Lambda-LLM-Calculator, data/gpu_specs.csv',
  MODAL: 'Modal, client reference, mintlify.com/modal-labs/modal-client/api/python/gpu',
  MODALMEM:
    'github.com/modal-labs/modal-client/pull/2797: what nvidia-smi reports of the memory of each of its models',
  A40MEM: 'github.com/chatdoc-com/OCRFlux/issues/64, which quotes nvidia-smi on two A40',
  B300MEM:
    'what nvidia-smi 580 reports on B300 SXM6 AC, 275040 MiB, as quoted in public reports of measurements on instances of AWS',
  ECCMEM:
    'a sixteenth of GDDR goes to the correction of errors: nvidia-smi on A10, L4, L40S and A40 as quoted in github.com/modal-labs/modal-client/pull/2797 and github.com/chatdoc-com/OCRFlux/issues/64',
  MIGNAME:
    'NVIDIA/go-nvlib, pkg/nvlib/device/mig_profile.go: the name of a profile has the memory rounded up to eighths of the device',
  VGPU: 'NVIDIA, virtual GPU software user guide, tables of MIG-backed vGPU types for the H100 SXM5 64GB',
  NIM: 'NVIDIA NIM 2.0.6, support matrix, docs.nvidia.com/nim/large-language-models/2.0.6/day-0/support-matrix-day-0.html',
  CUDARN: 'NVIDIA, CUDA 13.4 Update 1 release notes, docs.nvidia.com/cuda/cuda-toolkit-release-notes',
  CUDAMVC:
    'NVIDIA, CUDA compatibility, minor version compatibility, docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html',
  CUDAFWD:
    'NVIDIA, CUDA compatibility, forward compatibility, docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html',
  CUDACOMPAT:
    'NVIDIA/nvidia-container-toolkit, cmd/nvidia-cdi-hook/cudacompat/cuda-elf-header_test.go: the drivers that libcuda 575.57.08 and 590.44.01 of the packages name in their ELF notes',
  CUDAIMAGES:
    'NVIDIA, CUDA container images, gitlab.com/nvidia/container-images/cuda, dist/VERSION/base: NVIDIA_REQUIRE_CUDA names the branches of drivers that the bundled cuda-compat serves (as of August 2025)',
  CUDASITE:
    'a site that quotes the matrix of NVIDIA for cuda-compat-13.0 to 13.3, and runs them on 535.104.12; NVIDIA, CUDA compatibility, forward compatibility',
  CUDASUPPORT:
    'NVIDIA CUDA and Drivers Support, RN-08625-001_v02, docs.nvidia.com/datacenter/tesla/pdf/NVIDIA_CUDA_Drivers_Support.pdf',
  CUDNN: 'NVIDIA, cuDNN 9.1.0 support matrix: CUDA 12.x with driver >= 525.60.13 on Linux',
  CLANG:
    'llvm/llvm-project, clang/lib/Basic/Cuda.cpp: the lowest and the highest CUDA version for each architecture (main, 2025)',
  NVCC: 'NVIDIA, CUDA 13.0, the targets that nvcc 13.0.88 lists: sm_75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121',
  CUDAGUIDE:
    'NVIDIA, CUDA programming guide, the CUDA platform, docs.nvidia.com/cuda/cuda-programming-guide/01-introduction/cuda-platform.html',
  PYTORCH157517:
    'github.com/pytorch/pytorch/issues/157517, which quotes the deprecated architectures of the CUDA release notes',
  CUDECOMP97: 'github.com/NVIDIA/cuDecomp/pull/97',
  CUFFT:
    'NVIDIA, cuFFT 12.6.3, deprecated functionality, docs.nvidia.com/cuda/archive/12.6.3/cufft/deprecated-functionality.html',
  ROCMSPEC: 'ROCm/legacy-rocm-build at 089d751, docs/reference/gpu-arch-specs.rst',
  ROCMKMD:
    'AMD, user and kernel-space support, rocm.docs.amd.com/projects/install-on-linux/en/docs-6.3.0/reference/user-kernel-space-compat-matrix.html',
  AMDGPU: 'github.com/ROCm/amdgpu-docs/pull/97',
  ROCMKMD57:
    'AMD, user/kernel-space support matrix of ROCm 5.7.0, rocm.docs.amd.com/en/docs-5.7.0/release/user_kernel_space_compat_matrix.html',
  AMDMODULE:
    'github.com/geohot/amdgpu-dkms/pull/1, whose package 6.3.6.60000 is that of ROCm 6.0; github.com/ROCm/rocm-install-on-linux/issues/684: amd-smi shows the version of the module',
  AMDPART: 'AMD SMI, accelerator partitions, rocm.docs.amd.com/projects/amdsmi',
  LLVM: 'LLVM, user guide for the AMDGPU backend, llvm.org/docs/AMDGPUUsage.html',
  INTELLBL:
    'Intel device plugins for Kubernetes 0.30, labels, intel.github.io/intel-device-plugins-for-kubernetes/0.30/cmd/gpu_plugin/labels.html',
  H800: 'liguodongiot/llm-action, docs/llm-base/h800-env-install.md, which quotes PyTorch on an H800: CUDA capability sm_90',
  TACC: 'TACC, Stampede3 user guide, PVC compute nodes: four Max 1550 with 128 GB of HBM2e each',
  COMMON: 'general knowledge, not found in a citable source',
} as const;

/** The key of a source. */
export type SourceKey = keyof typeof sources;
