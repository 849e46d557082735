/** `rhizome pool publish`: publishes the units of a file in batches. */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { printErrors, type Session } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { fileLines } from '../../files/file-lines.js';
import { CliPublishUnitsDocument, type WorkUnitInput } from '../../operations.generated.js';
import { printJson, printLine } from '../../output.js';

/** Bounds of a batch; the gateway accepts more in one call. */
const maxUnits = 5000;
const maxCharacters = 4 * 1_048_576;

/** Publishes units. A repeated run publishes only what is not published yet. */
export async function publish(
  { client, output, cwd }: Session,
  poolId: string,
  file: string,
  signal: AbortSignal,
): Promise<ExitCode> {
  let publishedCount = 0;
  let repeatedCount = 0;
  for await (const units of batchesOf(resolve(cwd, file))) {
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

async function* batchesOf(file: string): AsyncGenerator<WorkUnitInput[]> {
  let batch: WorkUnitInput[] = [];
  let characters = 0;
  let number = 0;
  for await (const line of fileLines(file)) {
    number += 1;
    if (line.trim() === '') continue;
    if (batch.length >= maxUnits || (batch.length > 0 && characters + line.length > maxCharacters)) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(unitIn(line, file, number));
    characters += line.length;
  }
  if (batch.length > 0) yield batch;
}

function unitIn(line: string, file: string, number: number): WorkUnitInput {
  try {
    const unit: unknown = JSON.parse(line);
    if (typeof unit === 'object' && unit !== null && 'key' in unit) return unit as WorkUnitInput;
  } catch {
    // Answered below.
  }
  throw new CliError(
    exitCodes.usage,
    `${file}: line ${number} is not valid; must be a JSON object with a key and a payload or a reference`,
  );
}
