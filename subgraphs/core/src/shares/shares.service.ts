/** Rules of shares: visibility and changes. */
import { type InputError, InputErrors } from '@rhizome/errors';
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { SharesDocument, StoredShareLeaf } from './share.document.js';
import { maxLeaves } from './share.document.js';
import type { SharesRepository } from './shares.repository.js';

/** Leaf with its position in the tree. */
export interface ShareLeaf extends StoredShareLeaf {
  /** `experiment/leaf`. */
  readonly path: string;
  readonly experiment: string;
}

/** Granted resources of a share. */
export interface ShareUsage {
  readonly usedCores: number;
  readonly usedMemoryMiB: number;
  readonly usedGpus: number;
}

/** Dependencies of {@link SharesService} on other domains. */
export interface SharePorts {
  /** Returns true if the experiment exists. */
  experimentExists(name: string): Promise<boolean>;
  /** Number of live jobs of a share according to the counts of this process, which may lag. */
  liveJobs(path: string): number;
  /** Returns true if a share has a live job, according to the store. */
  hasLiveJobs(experiment: string, path: string): Promise<boolean>;
}

/** Dependencies of {@link SharesService}. */
export interface SharesOptions extends SharePorts {
  readonly repository: SharesRepository;
  readonly clock: Clock;
}

/** Shares to set. */
export interface SetShares {
  readonly experiment: string;
  readonly shares: readonly {
    readonly leaf: string;
    readonly nominalCores: number;
    readonly borrowLimitCores?: number | null | undefined;
    readonly nominalGpus?: number | null | undefined;
    readonly borrowLimitGpus?: number | null | undefined;
    readonly weight?: number | null | undefined;
    readonly ownerLimitCores?: number | null | undefined;
  }[];
}

type Code = 'EXPERIMENT_NOT_FOUND' | 'SHARE_IN_USE';

/** The shares, or the errors because of which they were refused. */
export interface SharesSet {
  readonly shares: readonly ShareLeaf[];
  readonly userErrors: readonly InputError<Code>[];
}

/** First share of a new experiment: no entitlement, unlimited borrowing. */
const firstLeaf: StoredShareLeaf = { leaf: 'default', nominalCores: 0, weight: 1 };
const leafName = /^[a-z0-9-]{1,31}$/;
const maxCores = 100_000_000;
const maxGpus = 10_000_000;

/** Reads and sets shares. */
export class SharesService {
  readonly #options: SharesOptions;

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  /** Creates the first share of a new experiment. */
  async prepare(experiment: string): Promise<void> {
    const { repository, clock } = this.#options;
    if (repository.directory.peek(experiment)) return;
    await repository.prepare(experiment, [firstLeaf], clock.now());
  }

  /** Leaves of one experiment as stored now, the default first. */
  async ofExperiment(experiment: string): Promise<readonly ShareLeaf[]> {
    const [leaves = []] = await this.ofExperiments([experiment]);
    return leaves;
  }

  /** Leaves of experiments as stored now, one entry per experiment, the default first. */
  async ofExperiments(experiments: readonly string[]): Promise<readonly (readonly ShareLeaf[])[]> {
    const found = await this.#options.repository.directory.findFresh(experiments);
    return found.map((document) => (document ? leavesOf(document) : []));
  }

  /**
   * Leaves by path, one entry per path; null for removed ones. The store is read before a leaf counts as
   * removed.
   */
  async byPaths(paths: readonly string[]): Promise<readonly (ShareLeaf | null)[]> {
    const { directory } = this.#options.repository;
    const experiments = paths.map((path) => path.split('/', 1)[0] ?? '');
    const found = paths.map((path, index) => leafIn(directory.peek(experiments[index] ?? ''), path));
    const unknown = experiments.filter((_experiment, index) => found[index] === null);
    if (unknown.length === 0) return found;
    await directory.refresh(unknown);
    return paths.map((path, index) => leafIn(directory.peek(experiments[index] ?? ''), path));
  }

  /** All leaves in memory, by path. */
  all(): readonly ShareLeaf[] {
    return byPath(this.#options.repository.directory.all());
  }

  /** Leaves that a principal may read as stored now, by path. */
  async visibleTo(principal: Principal, experiment?: string | null): Promise<readonly ShareLeaf[]> {
    const visible = experimentsFor(principal, 'share:read');
    return byPath(await this.#options.repository.directory.fresh()).filter(
      (leaf) =>
        (visible === '*' || visible.includes(leaf.experiment)) &&
        (experiment ?? leaf.experiment) === leaf.experiment,
    );
  }

  /** Calls the listener when shares change. @returns function that removes it */
  onChanged(listener: () => void): () => void {
    return this.#options.repository.directory.onChanged(() => listener());
  }

  /** Sets all shares of an experiment. */
  async set(input: SetShares): Promise<SharesSet> {
    const errors = check(input);
    if (errors.isEmpty) await this.#checkAgainstStore(input, errors);
    if (!errors.isEmpty) return { shares: [], userErrors: errors.all };
    const leaves = input.shares.map(storedLeaf);
    const stored = await this.#options.repository.set(input.experiment, leaves, this.#options.clock.now());
    return { shares: stored ? leavesOf(stored) : [], userErrors: [] };
  }

  async #checkAgainstStore({ experiment, shares }: SetShares, errors: InputErrors<Code>): Promise<void> {
    const { experimentExists } = this.#options;
    if (!(await experimentExists(experiment))) {
      const message = `Experiment "${experiment}" not found; register it first.`;
      errors.report('EXPERIMENT_NOT_FOUND', ['experiment'], message);
      return;
    }
    const kept = new Set(shares.map(({ leaf }) => leaf));
    for (const { leaf, path } of await this.ofExperiment(experiment)) {
      const live = kept.has(leaf) ? 0 : await this.#liveJobs(experiment, path);
      if (live === 0) continue;
      const message = `shares: leaf "${leaf}" is missing, but has ${live === 'some' ? 'jobs or workflows that have not ended' : `${live} live jobs`}; keep it until they have ended`;
      errors.report('SHARE_IN_USE', ['shares'], message);
    }
  }

  /**
   * Number of live jobs. Zero is confirmed by the store: a job that another process has just accepted may not
   * be counted yet.
   */
  async #liveJobs(experiment: string, path: string): Promise<number | 'some'> {
    const { liveJobs, hasLiveJobs } = this.#options;
    const counted = liveJobs(path);
    return counted > 0 || !(await hasLiveJobs(experiment, path)) ? counted : 'some';
  }
}

function byPath(documents: readonly SharesDocument[]): readonly ShareLeaf[] {
  return documents.flatMap(leavesOf).sort((a, b) => (a.path < b.path ? -1 : 1));
}

const leafIn = (document: SharesDocument | undefined, path: string): ShareLeaf | null =>
  (document ? leavesOf(document) : []).find((leaf) => leaf.path === path) ?? null;

function leavesOf({ _id, leaves }: SharesDocument): ShareLeaf[] {
  return leaves.map((leaf) => ({ ...leaf, experiment: _id, path: `${_id}/${leaf.leaf}` }));
}

function storedLeaf({
  leaf,
  nominalCores,
  borrowLimitCores,
  nominalGpus,
  borrowLimitGpus,
  weight,
  ownerLimitCores,
}: SetShares['shares'][number]): StoredShareLeaf {
  return {
    leaf,
    nominalCores,
    weight: weight ?? 1,
    ...(typeof borrowLimitCores === 'number' ? { borrowLimitCores } : {}),
    ...(typeof nominalGpus === 'number' ? { nominalGpus } : {}),
    ...(typeof borrowLimitGpus === 'number' ? { borrowLimitGpus } : {}),
    ...(typeof ownerLimitCores === 'number' ? { ownerLimitCores } : {}),
  };
}

function check({ shares }: SetShares): InputErrors<Code> {
  const errors = new InputErrors<Code>();
  if (shares.length < 1 || shares.length > maxLeaves) {
    errors.add(['shares'], `${shares.length} entries`, `1 to ${maxLeaves} entries`);
    return errors;
  }
  const seen = new Set<string>();
  shares.forEach((share, index) => {
    const at = (field: string) => ['shares', index, field];
    errors.form(at('leaf'), share.leaf, leafName, '1 to 31 lower-case letters, digits and "-"');
    if (seen.has(share.leaf)) errors.add(at('leaf'), share.leaf, 'unique');
    seen.add(share.leaf);
    errors.int(at('nominalCores'), share.nominalCores, 0, maxCores);
    errors.int(at('borrowLimitCores'), share.borrowLimitCores, 0, maxCores);
    errors.int(at('ownerLimitCores'), share.ownerLimitCores, 0, maxCores);
    for (const field of ['nominalGpus', 'borrowLimitGpus'] as const)
      errors.number(at(field), share[field], { min: 0, max: maxGpus });
    errors.number(at('weight'), share.weight, { above: 0, max: 1000 });
  });
  return errors;
}
