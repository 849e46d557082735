/** Doors of the catalogue: data alone, the same for all. */
import type { Policies } from '@rhizome/authz';
import type { Resolvers } from '../types.generated.js';
import { capabilities } from './catalogue/cuda-releases.js';
import { catalogueVersion, cudaFamily, gpuModels, modelOf } from './catalogue/catalogue.js';
import { cudaReleases } from './catalogue/cuda-releases.js';
import type { CudaReleaseRow, GpuModelRow } from './catalogue/catalogue.types.js';
import { type SourceKey, sources } from './catalogue/sources.js';
import { compareVersions, majorOf } from './catalogue/versions.js';

const cited = (keys: readonly SourceKey[]): string[] => [...new Set(keys)].map((key) => sources[key]);

function modelAnswer(row: GpuModelRow) {
  return {
    ...row,
    computeCapability: row.computeCapability ?? null,
    gfxTarget: row.gfxTarget ?? null,
    memoryGB: row.memoryGB ?? null,
    sources: cited(row.sources),
    catalogueVersion,
  };
}

function releaseAnswer({ version, update, driver, sources: own, confidence }: CudaReleaseRow) {
  const family = cudaFamily(majorOf(version));
  const oldest = family?.oldestCapability ?? '0';
  return {
    catalogueVersion,
    version,
    update,
    driver,
    minorVersionDriver: family?.minorDriver ?? null,
    forwardBranches: family?.forwardBranches ?? [],
    oldestCapability: oldest,
    capabilities: capabilities
      .filter(
        (row) => compareVersions(row.firstCuda, version) <= 0 && compareVersions(row.capability, oldest) >= 0,
      )
      .map((row) => row.capability),
    sources: cited([...own, ...(family?.sources ?? [])]),
    confidence: family?.confidence === 'LOW' ? ('LOW' as const) : confidence,
    uncertain: [...(confidence === 'LOW' ? ['driver'] : []), ...(family?.uncertain ?? []), 'capabilities'],
  };
}

const releases = cudaReleases.map(releaseAnswer);

/** Resolvers of this folder's SDL. */
export const gpuResolvers: Pick<Resolvers, 'Query'> = {
  Query: {
    gpuModels: (_parent, { vendor }) =>
      gpuModels.filter((row) => vendor == null || row.vendor === vendor.toUpperCase()).map(modelAnswer),
    gpuModel: (_parent, { name }) => {
      const row = modelOf(
        /^[0-9a-f]{4}:[0-9a-f]{4}$/i.test(name) ? { model: name, pciId: name } : { model: name },
      );
      return row ? modelAnswer(row) : null;
    },
    cudaReleases: () => releases,
  },
};

/** Who may pass: everybody who may see workers. */
export const gpuPolicies: Policies = {
  'Query.gpuModels': { action: 'worker:read' },
  'Query.gpuModel': { action: 'worker:read' },
  'Query.cudaReleases': { action: 'worker:read' },
};
