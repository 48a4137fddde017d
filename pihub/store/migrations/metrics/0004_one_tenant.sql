-- Requests of tenants beside the first (`default`): a box with one tenant writes nothing of it.
CREATE INDEX requests_of_tenant ON requests (tenant, id) WHERE tenant > 1;
