/** GPU requirements in the form of the API, with their conditions in groups. */
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type {
  CudaRequirement,
  GpuPartition,
  GpuRequirement,
  GpuVendor,
  RocmRequirement,
} from '../../types.generated.js';

/** Groups a stored requirement. Only required conditions are stored; a group without any is null. */
export function gpuRequirementOf(stored: StoredGpuRequirement): GpuRequirement {
  return {
    count: stored.count,
    // `submitJobs` accepts no other vendor.
    vendor: (stored.vendor as GpuVendor | undefined) ?? null,
    models: stored.models,
    minMemoryMiB: stored.minMemoryMiB ?? null,
    minDriverVersion: stored.minDriverVersion ?? null,
    cuda: cudaOf(stored),
    rocm: rocmOf(stored),
    partition: partitionOf(stored),
    isEccRequired: stored.ecc ?? false,
    isExclusive: stored.exclusive ?? false,
    isNvlinkRequired: stored.nvlink,
    isOptional: stored.optional,
  };
}

function cudaOf(stored: StoredGpuRequirement): CudaRequirement | null {
  const { cudaRuntime, minComputeCapability, ptxToolkit, sassTargets, ptxTargets } = stored;
  const { needsNewDriverFeature = false, bundlesCompat = false } = stored;
  const given = [cudaRuntime, minComputeCapability, ptxToolkit].some((value) => value !== undefined);
  if (!given && !needsNewDriverFeature && !bundlesCompat && sassTargets.length + ptxTargets.length === 0)
    return null;
  return {
    runtime: cudaRuntime ?? null,
    minComputeCapability: minComputeCapability ?? null,
    sassTargets,
    ptxTargets,
    ptxToolkit: ptxToolkit ?? null,
    isNewDriverFeatureRequired: needsNewDriverFeature,
    hasCompatPackage: bundlesCompat,
  };
}

function rocmOf({ rocmRuntime, gfxTargets = [] }: StoredGpuRequirement): RocmRequirement | null {
  if (rocmRuntime === undefined && gfxTargets.length === 0) return null;
  return { runtime: rocmRuntime ?? null, gfxTargets };
}

function partitionOf(stored: StoredGpuRequirement): GpuPartition | null {
  const { migProfile, migFraction, share, shareMemoryMiB } = stored;
  if (migProfile !== undefined) return { migProfile };
  if (migFraction !== undefined) return { migFraction };
  return share === undefined
    ? null
    : { timeShare: { thousandths: share, memoryMiB: shareMemoryMiB ?? null } };
}
