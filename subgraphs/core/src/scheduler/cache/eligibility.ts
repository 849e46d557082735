/**
 * Cached decisions about classes: for all workers of a shape, and for those that a selector distinguishes.
 */
import { type DeviceMatch, matchDevices } from '../../gpus/verdict/device-match.js';
import { meetsAll } from '../requirements/constraints.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';

/** Bit of a positive decision next to the serial of the class; 0 means undecided. */
const answerYes = 1;
const answerNo = 2;
const perSerial = 4;

/** Decisions by the index of the class; each includes the serial of the class, because indexes are reused. */
export class Eligibility {
  #known = new Uint32Array(64);
  readonly #decide: (cls: RequirementClass) => boolean;

  constructor(decide: (cls: RequirementClass) => boolean) {
    this.#decide = decide;
  }

  /** Returns the decision about the class, made now if there is none. */
  isYes(cls: RequirementClass): boolean {
    // A class used for a single question is not cached.
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

/** Decisions if the workers of a shape fit classes, apart from amounts, and with which devices. */
export class ShapeEligibility {
  readonly #profile: WorkerProfile;
  readonly #answers = new Eligibility((cls) => this.#decide(cls));
  /** By the index of the class; valid only if the class fits. */
  readonly #devices: (DeviceMatch | undefined)[] = [];

  /** @param candidate any worker of the shape */
  constructor(profile: WorkerProfile) {
    this.#profile = profile;
  }

  /** Returns true if the workers of the shape with sufficient amounts could run the class. */
  fits(cls: RequirementClass): boolean {
    return this.#answers.isYes(cls);
  }

  /** Devices that serve a class that fits; undefined if it requires none or runs without. */
  devices(cls: RequirementClass): DeviceMatch | undefined {
    const { gpu } = cls.requirements;
    if (gpu === undefined) return undefined;
    if (cls.index < 0) return this.fits(cls) ? matchDevices(gpu, this.#profile.devices()) : undefined;
    return this.fits(cls) ? this.#devices[cls.index] : undefined;
  }

  #decide({ index, shapeConstraints, requirements: { gpu } }: RequirementClass): boolean {
    if (!meetsAll(shapeConstraints, this.#profile)) return false;
    if (gpu === undefined) return true;
    const devices = matchDevices(gpu, this.#profile.devices());
    if (index >= 0) this.#devices[index] = devices;
    return devices !== undefined || gpu.optional;
  }
}

/** Decisions of selectors about a worker, for selectors that distinguish workers of one shape. */
export function selectorEligibility(profile: WorkerProfile): Eligibility {
  return new Eligibility(({ selector }) => selector === undefined || selector.accepts(profile.view()));
}
