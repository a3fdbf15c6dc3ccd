/** Replaying a log's entries from the genesis gives the verdicts of a naive model. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { type Admitted, advance, authorize, examine } from '../../src/statement/admission.ts';
import { formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { inTotoPayloadType } from '../../src/statement/in-toto.ts';
import type { Role } from '../../src/statement/issuer.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { changePayload, newLog, newSigner, releasePayload, signed, subject } from './parties.ts';

const registrar = await newSigner();
const rogue = await newSigner();
const signers = await Promise.all([
  newSigner(),
  newSigner(),
  newSigner('ecdsa-p256'),
  newSigner('ecdsa-p256'),
]);
const genesis = await newLog(registrar);

const who = fc.nat(signers.length - 1);
const product = fc.constantFrom('a', 'b');
const change = fc.record({
  step: fc.constant('change' as const),
  action: fc.constantFrom('admit' as const, 'admit' as const, 'change' as const, 'revoke' as const),
  issuer: who,
  products: fc.uniqueArray(product, { minLength: 1 }),
  roles: fc.uniqueArray(fc.constantFrom<Role>('release', 'provenance', 'rebuild', 'approve'), {
    minLength: 1,
  }),
  late: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1),
  rogue: fc.constantFrom(false, false, false, false, false, true),
});
const claim = fc.record({
  step: fc.constantFrom('release' as const, 'provenance' as const),
  signer: who,
  product,
  /** Whose fingerprint the keyid is; undefined for none. */
  hint: fc.option(who, { nil: undefined }),
  honest: fc.boolean(),
});
type Step =
  typeof change extends fc.Arbitrary<infer C>
    ? typeof claim extends fc.Arbitrary<infer D>
      ? C | D
      : never
    : never;

interface Rights {
  products: string[];
  roles: Role[];
  revoked: boolean;
}

/** What the rules say, in the plainest words. */
class Model {
  readonly rights = new Map<number, Rights>();
  sequence = 0;

  allows(step: Step): boolean {
    if (step.step === 'change') {
      const known = this.rights.get(step.issuer);
      if (step.late !== 0 || step.rogue || known?.revoked) return false;
      return step.action === 'admit' ? known === undefined : known !== undefined;
    }
    const hint = step.honest ? step.signer : step.hint;
    if (hint !== undefined && this.rights.has(hint) && hint !== step.signer) return false;
    const rights = this.rights.get(step.signer);
    if (rights === undefined || rights.revoked) return false;
    const wanted: Role[] = step.step === 'release' ? ['release'] : ['provenance', 'rebuild'];
    return (
      rights.products.includes(step.product) && wanted.some((role) => rights.roles.includes(role))
    );
  }

  apply(step: Step): void {
    if (step.step !== 'change') return;
    this.sequence++;
    const { issuer, products, roles } = step;
    if (step.action === 'revoke') this.rights.get(issuer)!.revoked = true;
    else this.rights.set(issuer, { products, roles, revoked: false });
  }
}

async function entryOf(step: Step, sequence: number): Promise<Uint8Array> {
  if (step.step === 'change') {
    const payload = changePayload({
      action: step.action,
      issuer: signers[step.issuer]!,
      sequence: Math.max(1, sequence + step.late),
      roles: step.roles,
      purls: step.products.map((name) => `pkg:generic/${name}/*`),
    });
    return signed(payload, step.rogue ? rogue : registrar);
  }
  const purl = `pkg:generic/${step.product}/x@1`;
  const payload =
    step.step === 'release'
      ? releasePayload(purl)
      : provenanceStatement({
          subjects: [subject(purl)],
          buildType: 'b:t',
          builderId: 'b:i',
          externalParameters: {},
        });
  const envelope = await signEnvelope(inTotoPayloadType, payload, [signers[step.signer]!]);
  const hint = step.honest ? step.signer : step.hint;
  const keyid = hint === undefined ? '' : signers[hint]!.publicKey.fingerprint;
  return formatEnvelope({
    ...envelope,
    signatures: envelope.signatures.map(({ sig }) => ({ keyid, sig })),
  });
}

const verdict = (examined: Promise<unknown>): Promise<boolean> =>
  examined.then(
    () => true,
    () => false,
  );

it('agrees with the model, now and when the state has moved on', async () => {
  const history = fc.array(
    fc.oneof({ weight: 2, arbitrary: change }, { weight: 3, arbitrary: claim }),
    { minLength: 5, maxLength: 25 },
  );
  let accepted = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const model = new Model();
      let state = genesis;
      const admitted: { entry: Uint8Array; result: Admitted }[] = [];
      for (const step of steps) {
        // An early sequence is not early when there was none before.
        if (step.step === 'change' && step.late < 0 && state.nextSequence === 1) continue;
        const entry = await entryOf(step, state.nextSequence);
        const allowed = model.allows(step);
        expect(await verdict(examine(state, entry, nodeVerifier)), JSON.stringify(step)).toBe(
          allowed,
        );
        if (!allowed) {
          refused++;
          continue;
        }
        accepted++;
        const result = await examine(state, entry, nodeVerifier);
        authorize(state, result.claim);
        state = advance(state, result.claim);
        model.apply(step);
        admitted.push({ entry, result });
        expect(state.nextSequence).toBe(model.sequence + 1);
        for (const {
          entry: earlier,
          result: { claim: verified },
        } of admitted) {
          const anew = await verdict(examine(state, earlier, nodeVerifier));
          expect(await verdict(Promise.resolve().then(() => authorize(state, verified)))).toBe(
            anew,
          );
        }
      }
    }),
    { numRuns: 60 },
  );
  expect(accepted).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});
