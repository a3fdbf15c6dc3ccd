/** `daybook/verify`: the offline check of an artifact's proof. It runs in Node and in the browser. */
export { DaybookError, type ErrorCode } from '../errors.ts';
export { parseVkey, type VerifierKey } from '../note/vkey.ts';
export type { PublicKey, SignatureVerifier } from '../signature/port.ts';
export { publicKeyFromPem, publicKeyFromSpki } from '../signature/public-key.ts';
export { webVerifier } from '../signature/web-verifier.ts';
export { verifyEvidence, type Conviction, type EvidenceKeys } from './evidence.ts';
export { policyOfLogs } from './log-policy.ts';
export { compareManifest, formatManifest, parseManifest, type Manifest } from './manifest.ts';
export { formatPolicy, parsePolicy, type TrustPolicy } from './policy.ts';
export {
  verifyProof,
  type Check,
  type CheckName,
  type Facts,
  type Verdict,
  type VerifyRequest,
} from './verify-proof.ts';
export { parseReleasePolicy, type ReleasePolicy } from './release-policy.ts';
export {
  emptyTrustState,
  formatTrustState,
  parseTrustState,
  type TrustState,
} from './trust-state.ts';
export {
  verifyRelease,
  type ReleaseRequest,
  type ReleaseVerdict,
  type RuleName,
  type RuleResult,
} from './verify-release.ts';
export { readPolicyDocument, walkPolicies } from './signed-policy.ts';
