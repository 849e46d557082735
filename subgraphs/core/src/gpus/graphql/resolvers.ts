/** Resolvers of the catalogue: static data, the same for all callers. */
import type { Policies } from '@rhizome/authz';
import type { Resolvers } from '../../types.generated.js';
import { capabilities } from '../catalogue/cuda-releases.js';
import { catalogueVersion, cudaFamily, gpuModels, modelNamed, modelWithId } from '../catalogue/catalogue.js';
import { cudaReleases } from '../catalogue/cuda-releases.js';
import type { CudaReleaseRow, GpuModelRow } from '../catalogue/catalogue.types.js';
import { type SourceKey, sources } from '../catalogue/sources.js';
import { leastReportedMiB } from '../verdict/memory-check.js';
import { compareVersions, majorOf } from '../catalogue/versions.js';

const cited = (keys: readonly SourceKey[]): string[] => [...new Set(keys)].map((key) => sources[key]);

function modelAnswer(row: GpuModelRow) {
  return {
    ...row,
    computeCapability: row.computeCapability ?? null,
    gfxTarget: row.gfxTarget ?? null,
    chip: row.chip ?? null,
    memoryGB: row.memoryGB ?? null,
    leastReportedMiB: leastReportedMiB(row) ?? null,
    computeUnits: row.computeUnits ?? null,
    tiles: row.tiles ?? null,
    sources: cited(row.sources),
    catalogueVersion,
  };
}

function releaseAnswer(row: CudaReleaseRow) {
  const { version, sources: own } = row;
  const family = cudaFamily(majorOf(version));
  const oldest = family?.oldestCapability ?? '0';
  const known = capabilities.filter(
    ({ capability, firstCuda }) =>
      compareVersions(firstCuda, version) <= 0 && compareVersions(capability, oldest) >= 0,
  );
  return {
    ...row,
    catalogueVersion,
    minorVersionDriver: family?.minorDriver ?? null,
    oldestCapability: oldest,
    capabilities: known.map(({ capability }) => capability),
    sources: cited([...own, ...(family?.sources ?? []), ...known.flatMap(({ sources: of }) => of)]),
  };
}

const releases = cudaReleases.map(releaseAnswer);

/** Resolvers of this folder's SDL. */
export const gpuResolvers: Pick<Resolvers, 'Query'> = {
  Query: {
    gpuModels: (_parent, { vendor }) =>
      gpuModels.filter((row) => vendor == null || row.vendor === vendor).map(modelAnswer),
    gpuModel: (_parent, { name }) => {
      const row = /^[0-9a-f]{4}:[0-9a-f]{4}$/i.test(name) ? modelWithId(name) : modelNamed(name);
      return row ? modelAnswer(row) : null;
    },
    cudaReleases: () => releases,
  },
};

/** Access for all callers that may see workers. */
export const gpuPolicies: Policies = {
  'Query.gpuModels': { action: 'worker:read' },
  'Query.gpuModel': { action: 'worker:read' },
  'Query.cudaReleases': { action: 'worker:read' },
};
