-- Changes of limits and thresholds may be signed, and must be if the Go Account requires intent. Protocol §3.
ALTER TABLE signed_request
    DROP CONSTRAINT signed_request_operation_known,
    ADD CONSTRAINT signed_request_operation_known CHECK (operation IN (
        'settlement.stage', 'settlement.immediate', 'settlement.onchain', 'settlement.deposits',
        'allocation', 'deallocation', 'allocation.decide', 'deallocation.decide', 'connection.create',
        'dispute.raise', 'dispute.update', 'dispute.close', 'account.require_intent', 'connection.update',
        'loss_limits.change', 'approval_thresholds.change', 'daily_approval_thresholds.change',
        'custodian_limits.change', 'webhook_endpoint.create', 'webhook_endpoint.update', 'webhook_endpoint.delete',
        'webhook_endpoint.rotate_secret')) NOT VALID;
