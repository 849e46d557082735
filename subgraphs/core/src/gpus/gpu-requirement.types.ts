/** GPU requirements of jobs as they are stored. */

/** GPUs that a job requires, normalised. */
export interface StoredGpuRequirement {
  readonly count: number;
  readonly vendor?: string;
  readonly models: readonly string[];
  readonly minMemoryMiB?: number;
  readonly minComputeCapability?: string;
  readonly cudaRuntime?: string;
  /** True or left out, like all conditions added later: stored requirements keep their class. */
  readonly needsNewDriverFeature?: true;
  readonly bundlesCompat?: true;
  readonly minDriverVersion?: string;
  readonly rocmRuntime?: string;
  /** Not empty. */
  readonly gfxTargets?: readonly string[];
  readonly sassTargets: readonly string[];
  readonly ptxTargets: readonly string[];
  readonly ptxToolkit?: string;
  readonly migProfile?: string;
  /** Thousandths of one device, as a MIG slice. */
  readonly migFraction?: number;
  /** Thousandths of one device. */
  readonly share?: number;
  readonly shareMemoryMiB?: number;
  readonly ecc?: true;
  readonly exclusive?: true;
  readonly nvlink: boolean;
  readonly optional: boolean;
}
