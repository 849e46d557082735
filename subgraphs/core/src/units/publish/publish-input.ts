/** Pure checks of units to publish. */
import type { InputErrors } from '@rhizome/errors';
import { unitBytes } from '../blocks/unit-payload.document.js';

type Maybe<T> = T | null | undefined;

/** Unit to publish. */
export interface PublishedUnit {
  readonly key: string;
  readonly orderingKey?: Maybe<string>;
  readonly priority?: Maybe<number>;
  readonly size?: Maybe<number>;
  readonly payload?: Maybe<string>;
  readonly reference?: Maybe<string>;
  readonly deadline?: Maybe<Date>;
}

/** Units to publish. */
export interface PublishUnits {
  readonly poolId: string;
  readonly units: readonly PublishedUnit[];
}

/** Bounds of a publication. */
export const publishLimits = {
  units: 10_000,
  bytes: 8 * 1_048_576,
  payloadBytes: 65_536,
  errors: 100,
} as const;

const longestDeadlineMs = 400 * 86_400_000;

/** Checks units to publish; reports at most a hundred errors. */
export function checkUnits(errors: InputErrors<string>, units: readonly PublishedUnit[], now: Date): void {
  errors.list(['units'], units, publishLimits.units, 1);
  if (!errors.isEmpty) return;
  let bytes = 0;
  for (const [position, unit] of units.entries()) {
    bytes += unitBytes(unit);
    checkUnit(errors, position, unit, now);
    if (errors.all.length >= publishLimits.errors) return;
  }
  if (bytes > publishLimits.bytes)
    errors.add(['units'], `${bytes} bytes`, `payloads of at most ${publishLimits.bytes} bytes together`);
}

function checkUnit(errors: InputErrors<string>, position: number, unit: PublishedUnit, now: Date): void {
  const at = (field: string) => ['units', position, field];
  errors.text(at('key'), unit.key, 1, 200);
  if (unit.orderingKey != null) errors.text(at('orderingKey'), unit.orderingKey, 1, 200);
  errors.int(at('priority'), unit.priority, 0, 9);
  errors.int(at('size'), unit.size, 0, 2_147_483_647);
  const { payload, reference, deadline } = unit;
  if ((payload == null) === (reference == null)) {
    const given = payload == null ? 'neither was' : 'both were';
    const text = `units.${position}: must have either payload or reference; ${given} given`;
    errors.report('INVALID_VALUE', ['units', position], text);
  }
  if (payload != null && Buffer.byteLength(payload) > publishLimits.payloadBytes)
    errors.add(
      at('payload'),
      `${Buffer.byteLength(payload)} bytes`,
      `at most ${publishLimits.payloadBytes} bytes`,
    );
  if (reference != null) errors.line(at('reference'), reference, 1, 2000);
  if (deadline == null) return;
  if (deadline <= now) errors.add(at('deadline'), deadline, 'a time in the future');
  else if (deadline.getTime() - now.getTime() > longestDeadlineMs)
    errors.add(at('deadline'), deadline, 'at most 400 days from now');
}
