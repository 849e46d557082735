/** File policies: setting, listing, previewing. */
import { assertCan, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { canonicalJson } from '@rhizome/digest';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import { isOverTime, type KeysetPage } from '@rhizome/mongo';
import type { StorageFacts } from '../../storages/places.js';
import { visibilityOf } from '../../shared/visibility.js';
import { type DatasetCode, manageable } from '../dataset-access.js';
import type { DatasetsRepository } from '../datasets.repository.js';
import { addTotals, type DeletionMarker, type DeletionTotals, noTotals } from './deletion-marker.js';
import { checkPolicyName, checkRules, type FilePolicyRulesSpec, rulesOf } from './file-policy-input.js';
import type { FilePoliciesRepository, FilePolicyFilter } from './file-policies.repository.js';
import {
  type FilePolicyDocument,
  filePolicySchemaVersion,
  type FilePolicyVersion,
} from './file-policy.document.js';
import type { PolicyScan } from './policy-scan.js';

/** Dependencies of {@link FilePoliciesService}. */
export interface FilePoliciesOptions {
  readonly policies: FilePoliciesRepository;
  readonly datasets: Pick<DatasetsRepository, 'find'>;
  readonly scan: PolicyScan;
  readonly marker: Pick<DeletionMarker, 'mark'>;
  readonly storages: (experiment: string) => Promise<readonly StorageFacts[]>;
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Codes of `setFilePolicy` in addition to INVALID_VALUE. */
export type SetFilePolicyCode = DatasetCode | 'EXPERIMENT_NOT_FOUND' | 'VERSION_CONFLICT';

/** A policy to set. */
export interface SetFilePolicy {
  readonly experiment: string;
  readonly name: string;
  readonly rules: FilePolicyRulesSpec;
  readonly isEnabled?: boolean | null | undefined;
  readonly comment?: string | null | undefined;
}

/** The policy, or the errors because of which it was not set. */
export interface FilePolicyResult {
  readonly policy: FilePolicyDocument | null;
  readonly userErrors: readonly InputError<SetFilePolicyCode>[];
}

/** Files that rules would delete. */
export interface DeletionPreview extends DeletionTotals {
  /** Datasets with files that would be deleted, the first ones. */
  readonly datasets: readonly DatasetShare[];
  readonly datasetCount: number;
  /** False if there may be more: not all files were looked at in time. */
  readonly isComplete: boolean;
}

/** The preview, or the errors because of which there is none. */
export interface PreviewResult {
  readonly preview: DeletionPreview | null;
  readonly userErrors: readonly InputError<SetFilePolicyCode>[];
}

/** Part of a dataset that would be deleted. */
export interface DatasetShare {
  readonly datasetId: string;
  readonly files: number;
  readonly bytes: number;
}

/** Number of concurrent changes after which a change gives up. */
const maxTries = 10;
/** Longest time of a preview, in milliseconds. */
const longestPreviewMs = 10_000;
const mostDatasets = 100;
const maxNamed = 1000;

/** Policies of all experiments. */
export class FilePoliciesService {
  readonly #options: FilePoliciesOptions;

  constructor(options: FilePoliciesOptions) {
    this.#options = options;
  }

  /** Adds a version, which counts from now on. The content of the newest version gives that version. */
  async set(principal: Principal, input: SetFilePolicy): Promise<FilePolicyResult> {
    const { experiment, name, comment } = input;
    const errors = new InputErrors<SetFilePolicyCode>();
    checkPolicyName(errors, name);
    if (comment) errors.text(['comment'], comment, 1, 500);
    const rules = rulesOf(input.rules);
    if (!(await this.#isDisabled(principal, input))) await this.#check(errors, principal, input);
    if (!errors.isEmpty) return { policy: null, userErrors: errors.all };
    const content = { rules, isEnabled: input.isEnabled ?? true, ...(comment ? { comment } : {}) };
    for (let tries = 0; tries < maxTries; tries += 1) {
      const policy = await this.#add(errors, principal, { experiment, name, content });
      if (policy) return { policy, userErrors: [] };
      if (!errors.isEmpty) return { policy: null, userErrors: errors.all };
    }
    const text = `name: policy ${JSON.stringify(name)} is being changed by other calls; try again`;
    errors.report('VERSION_CONFLICT', ['name'], text);
    return { policy: null, userErrors: errors.all };
  }

  /** @returns null if the policy was written meanwhile, or with an error */
  async #add(
    errors: InputErrors<SetFilePolicyCode>,
    principal: Principal,
    {
      experiment,
      name,
      content,
    }: Pick<SetFilePolicy, 'experiment' | 'name'> & {
      readonly content: Pick<FilePolicyVersion, 'rules' | 'isEnabled' | 'comment'>;
    },
  ): Promise<FilePolicyDocument | null> {
    const { policies, clock, ids } = this.#options;
    const known = await policies.named(experiment, name);
    const [newest] = known?.versions ?? [];
    const at = clock.now();
    const version = { version: (newest?.version ?? 0) + 1, author: principal.subject, at, ...content };
    if (!known) {
      const policy: FilePolicyDocument = {
        ...{ _id: ids.next('filePolicy'), schemaVersion: filePolicySchemaVersion, revision: 1 },
        ...{ createdAt: at, updatedAt: at, experiment, name, versions: [version] },
        ...(content.isEnabled ? { nextAt: at } : {}),
      };
      return (await policies.insert(policy)) ? policy : null;
    }
    // The policy of another dataset, or of the experiment, must not be replaced by one's own.
    const needed = newest?.rules.datasetId;
    if (needed !== content.rules.datasetId) await this.#checkScope(errors, principal, experiment, needed);
    if (!errors.isEmpty) return null;
    const same = newest && contentOf(newest) === contentOf({ ...version });
    return same ? known : policies.addVersion(known, version);
  }

  /**
   * True if a policy is only disabled. This does not need what its rules name: the dataset, or the storage,
   * may be gone. @throws DomainError FORBIDDEN
   */
  async #isDisabled(
    principal: Principal,
    { experiment, name, rules, isEnabled }: SetFilePolicy,
  ): Promise<boolean> {
    if (isEnabled !== false) return false;
    const [newest] = (await this.#options.policies.named(experiment, name))?.versions ?? [];
    if (!newest || canonicalJson(newest.rules) !== canonicalJson(rulesOf(rules))) return false;
    const { datasetId } = newest.rules;
    const dataset = datasetId === undefined ? null : await this.#options.datasets.find(datasetId);
    if (dataset?.experiment === experiment) return false;
    assertCan(principal, 'policy:manage', experiment);
    assertCan(principal, 'job:manageAny', experiment);
    return true;
  }

  async #check(
    errors: InputErrors<SetFilePolicyCode>,
    principal: Principal,
    { experiment, rules }: Pick<SetFilePolicy, 'experiment' | 'rules'>,
  ): Promise<void> {
    const { storages, experimentExists } = this.#options;
    if (!(await experimentExists(experiment))) {
      errors.add(['experiment'], experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
      return;
    }
    await this.#checkScope(errors, principal, experiment, rules.datasetId ?? undefined);
    checkRules(errors, rules, (await storages(experiment)).map(({ _id }) => _id).sort());
  }

  /** One's own datasets, or with `policy:manage` those of the experiment. @throws DomainError FORBIDDEN */
  async #checkScope(
    errors: InputErrors<SetFilePolicyCode>,
    principal: Principal,
    experiment: string,
    datasetId: string | undefined,
  ): Promise<void> {
    if (datasetId === undefined) {
      assertCan(principal, 'policy:manage', experiment);
      assertCan(principal, 'job:manageAny', experiment);
      return;
    }
    const dataset = await this.#options.datasets.find(datasetId);
    const visible = dataset?.experiment === experiment ? dataset : null;
    const found = new InputErrors<DatasetCode>();
    if (!manageable(found, principal, visible, datasetId))
      for (const { message } of found.all)
        errors.report('DATASET_NOT_FOUND', ['rules', 'datasetId'], message);
  }

  /** A page of policies that the principal may see. @throws DomainError BAD_USER_INPUT */
  page(
    principal: Principal,
    filter: FilePolicyFilter | null | undefined,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<FilePolicyDocument>> {
    for (const [field, values] of Object.entries(filter ?? {}) as [string, readonly unknown[] | null][])
      if ((values?.length ?? 0) > maxNamed)
        throw badInput(`filter.${field}`, values?.length, `at most ${maxNamed} values`);
    return this.#options.policies.page(filter ?? {}, visibilityOf(principal, 'dataset:read'), page);
  }

  /**
   * What rules would delete now: of one's own datasets, or with `policy:manage` those of the experiment.
   * Looks at files for some seconds. @throws DomainError FORBIDDEN
   */
  async preview(
    principal: Principal,
    input: { readonly experiment: string; readonly rules: FilePolicyRulesSpec },
  ): Promise<PreviewResult> {
    const errors = new InputErrors<SetFilePolicyCode>();
    await this.#check(errors, principal, input);
    if (!errors.isEmpty) return { preview: null, userErrors: errors.all };
    const { scan, marker, clock } = this.#options;
    const rules = rulesOf(input.rules);
    const shares = new Map<string, DatasetShare>();
    const beganMs = clock.monotonicMs();
    let [totals, isComplete] = [noTotals, true];
    try {
      const { restoreDays } = rules;
      const common = { deletion: { by: principal.subject }, restoreDays, isDryRun: true };
      for await (const part of scan.parts(input.experiment, rules)) {
        const found = await marker.mark(part.map((selected) => ({ ...selected, ...common })));
        isComplete &&= found !== undefined;
        totals = (found ?? []).reduce(addTotals, totals);
        for (const [at, { dataset }] of part.entries()) {
          const share = found?.[at];
          if (share && share.files > 0) addShare(shares, dataset._id, share);
        }
        if (clock.monotonicMs() - beganMs <= longestPreviewMs) continue;
        isComplete = false;
        break;
      }
    } catch (error) {
      if (!isOverTime(error)) throw error;
      isComplete = false;
    }
    const datasets = [...shares.values()].slice(0, mostDatasets);
    const preview = { ...totals, datasets, datasetCount: shares.size, isComplete };
    return { preview, userErrors: [] };
  }
}

function contentOf({ author, rules, isEnabled, comment = '' }: FilePolicyVersion): string {
  return canonicalJson({ author, rules, isEnabled, comment });
}

function addShare(shares: Map<string, DatasetShare>, datasetId: string, found: DeletionTotals): void {
  const { files, bytes } = shares.get(datasetId) ?? { files: 0, bytes: 0 };
  shares.set(datasetId, { datasetId, files: files + found.files, bytes: bytes + found.bytes });
}
