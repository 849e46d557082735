/** `rhizome pool publish`: publishes the units of a file in batches. */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { printErrors, type Session } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { jsonLineBatches } from '../../files/json-line-batches.js';
import { CliPublishUnitsDocument, type WorkUnitInput } from '../../operations.generated.js';
import { printJson, printLine } from '../../output.js';

/** Most units of a batch; the gateway accepts more in one call. */
const maxUnits = 5000;

/** Publishes units. A repeated run publishes only what is not published yet. */
export async function publish(
  { client, output, cwd }: Session,
  poolId: string,
  file: string,
  signal: AbortSignal,
): Promise<ExitCode> {
  let publishedCount = 0;
  let repeatedCount = 0;
  const lines = {
    ...{ file: resolve(cwd, file), most: maxUnits, key: 'key' },
    expected: 'a JSON object with a key and a payload or a reference',
  };
  for await (const units of jsonLineBatches<WorkUnitInput>(lines)) {
    for (;;) {
      const input = { poolId, units };
      const { publishWorkUnits } = await client.mutate(
        CliPublishUnitsDocument,
        { input },
        { idempotent: true },
      );
      const { retryAfterSeconds, userErrors } = publishWorkUnits;
      if (userErrors.length === 0) {
        repeatedCount += publishWorkUnits.repeatedCount;
        publishedCount += units.length - publishWorkUnits.repeatedCount;
        break;
      }
      if (retryAfterSeconds === null || signal.aborted) {
        printErrors(output, userErrors);
        return exitCodes.failed;
      }
      output.errors.write(`the pool is full; next attempt in ${retryAfterSeconds} s\n`);
      await delay(retryAfterSeconds * 1000, undefined, { signal }).catch(() => undefined);
    }
  }
  if (output.json) printJson(output, { publishedCount, repeatedCount });
  else printLine(output, `${publishedCount} published, ${repeatedCount} published before`);
  return exitCodes.ok;
}
