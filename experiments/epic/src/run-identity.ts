/** Facts that every run has, whether it is processed live or afterwards. */
import type { ExperimentInputErrors } from '@rhizome/experiment';

/** Largest number of a run. */
export const maxRunNumber = 2_147_483_647;

/** Checks the number of a run and the configuration of the detector. */
export function checkRunIdentity(
  {
    runNumber,
    detectorConfiguration,
  }: { readonly runNumber: number; readonly detectorConfiguration: string },
  check: ExperimentInputErrors,
): void {
  check.int(['runNumber'], runNumber, 1, maxRunNumber);
  const configuration = '1 to 127 letters, digits, `_`, `-`, `.`';
  check.form(['detectorConfiguration'], detectorConfiguration, /^[A-Za-z0-9_.-]{1,127}$/, configuration);
}
