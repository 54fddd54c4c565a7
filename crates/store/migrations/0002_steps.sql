-- When each step of a deployment began: JSON, in order, [{"name":"fetch","started_at":1790000000000}, …].
alter table deployments add column steps text;
