/** Pure checks of file policies. */
import type { InputErrors } from '@rhizome/errors';
import type { FilePolicyRules, KeptSince } from './file-policy.document.js';

type Maybe<T> = T | null | undefined;

/** Rules as the caller states them. */
export interface FilePolicyRulesSpec {
  readonly datasetId?: Maybe<string>;
  readonly namePrefix?: Maybe<string>;
  readonly storageName?: Maybe<string>;
  readonly keepDays: number;
  readonly since?: Maybe<KeptSince>;
  readonly keepNewest?: Maybe<number>;
  readonly minReplicas?: Maybe<number>;
  readonly restoreDays?: Maybe<number>;
}

const policyName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const datasetPrefix = /^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,254}$/;
/** Default number of days for which copies can be restored. */
export const defaultRestoreDays = 7;
const mostDays = 36_500;
const mostRestoreDays = 365;
const mostNewest = 1000;
const mostReplicas = 20;

/** Checks the name of a policy. */
export function checkPolicyName(errors: Pick<InputErrors<string>, 'form'>, name: string): void {
  errors.form(
    ['name'],
    name,
    policyName,
    '1 to 63 letters, digits, `.`, `_`, `-`, beginning with a letter or digit',
  );
}

/** Checks how many copies stay, and for how long deleted ones can be restored. */
export function checkKept(
  errors: Pick<InputErrors<string>, 'int'>,
  { minReplicas, restoreDays }: Pick<FilePolicyRulesSpec, 'minReplicas' | 'restoreDays'>,
  path: readonly string[] = [],
): void {
  errors.int([...path, 'minReplicas'], minReplicas, 0, mostReplicas);
  errors.int([...path, 'restoreDays'], restoreDays, 0, mostRestoreDays);
}

/** Checks rules. @param storages names of those of the experiment */
export function checkRules(
  errors: InputErrors<string>,
  rules: FilePolicyRulesSpec,
  storages: readonly string[],
): void {
  const { datasetId, namePrefix, storageName, keepDays, keepNewest } = rules;
  errors.int(['rules', 'keepDays'], keepDays, 1, mostDays);
  errors.int(['rules', 'keepNewest'], keepNewest, 0, mostNewest);
  checkKept(errors, rules, ['rules']);
  if (namePrefix != null)
    errors.form(
      ['rules', 'namePrefix'],
      namePrefix,
      datasetPrefix,
      'the beginning of names of datasets: 1 to 255 letters, digits, `.`, `_`, `:`, `/`, `+`, `-`',
    );
  if (datasetId != null && namePrefix != null)
    errors.add(['rules', 'namePrefix'], namePrefix, 'left out, as `datasetId` names one dataset');
  if (datasetId != null && (keepNewest ?? 0) > 0)
    errors.add(['rules', 'keepNewest'], keepNewest, '0, as `datasetId` names one dataset');
  if (storageName != null && !storages.includes(storageName))
    errors.add(
      ['rules', 'storageName'],
      storageName,
      `a storage of the experiment: ${storages.slice(0, 10).join(', ') || 'it has none'}`,
    );
}

/** Stored form of rules that were checked. A policy for one storage keeps a copy elsewhere by default. */
export function rulesOf({
  datasetId,
  namePrefix,
  storageName,
  keepDays,
  since,
  keepNewest,
  minReplicas,
  restoreDays,
}: FilePolicyRulesSpec): FilePolicyRules {
  return {
    ...(datasetId == null ? {} : { datasetId }),
    ...(namePrefix == null ? {} : { namePrefix }),
    ...(storageName == null ? {} : { storageName }),
    keepDays,
    since: since ?? 'ADDED',
    keepNewest: keepNewest ?? 0,
    minReplicas: minReplicas ?? (storageName == null ? 0 : 1),
    restoreDays: restoreDays ?? defaultRestoreDays,
  };
}
