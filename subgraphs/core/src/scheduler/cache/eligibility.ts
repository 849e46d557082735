/** Remembered decisions about classes: for all workers of a shape at once, and for the ones that a selector distinguishes. */
import { type DeviceFit, fitDevices } from '../../gpus/verdict/device-fit.js';
import { meetsAll } from '../requirements/constraints.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';

/** What is known of a class, beside its serial; 0 where nothing is. */
const answerYes = 1;
const answerNo = 2;
const perSerial = 4;

/** Answers by the index of the class; its serial goes with it, because indexes are used again. */
export class Eligibility {
  #known = new Uint32Array(64);
  readonly #decide: (cls: RequirementClass) => boolean;

  constructor(decide: (cls: RequirementClass) => boolean) {
    this.#decide = decide;
  }

  /** What was decided about the class; decided now where it was not. */
  isYes(cls: RequirementClass): boolean {
    // A class that is asked for once is not remembered.
    if (cls.index < 0) return this.#decide(cls);
    if (cls.index >= this.#known.length) this.#grow(cls.index);
    const own = cls.serial * perSerial;
    const known = (this.#known[cls.index] ?? 0) - own;
    if (known === answerYes || known === answerNo) return known === answerYes;
    const decided = this.#decide(cls);
    this.#known[cls.index] = own + (decided ? answerYes : answerNo);
    return decided;
  }

  #grow(index: number): void {
    const wider = new Uint32Array(Math.max(index + 1, 2 * this.#known.length));
    wider.set(this.#known);
    this.#known = wider;
  }
}

/** Whether the workers of a shape fit classes, amounts apart, and with which devices. */
export class ShapeEligibility {
  readonly #profile: WorkerProfile;
  readonly #answers = new Eligibility((cls) => this.#decide(cls));
  /** By the index of the class; of a class that fits it is its own. */
  readonly #devices: (DeviceFit | undefined)[] = [];

  /** @param candidate any of them */
  constructor(profile: WorkerProfile) {
    this.#profile = profile;
  }

  /** Whether those of them that have the amounts could run the class. */
  fits(cls: RequirementClass): boolean {
    return this.#answers.isYes(cls);
  }

  /** The devices that serve a class that fits; undefined where it asks for none, or goes without. */
  devices(cls: RequirementClass): DeviceFit | undefined {
    const { gpu } = cls.requirements;
    if (gpu === undefined) return undefined;
    if (cls.index < 0) return this.fits(cls) ? fitDevices(gpu, this.#profile.devices()) : undefined;
    return this.fits(cls) ? this.#devices[cls.index] : undefined;
  }

  #decide({ index, shapeConstraints, requirements: { gpu } }: RequirementClass): boolean {
    if (!meetsAll(shapeConstraints, this.#profile)) return false;
    if (gpu === undefined) return true;
    const devices = fitDevices(gpu, this.#profile.devices());
    if (index >= 0) this.#devices[index] = devices;
    return devices !== undefined || gpu.optional;
  }
}

/** What selectors say of the worker, where they distinguish workers of one shape. */
export function selectorEligibility(profile: WorkerProfile): Eligibility {
  return new Eligibility(({ selector }) => selector === undefined || selector.accepts(profile.view()));
}
