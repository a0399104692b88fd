"""`make pipeline`: pipeline.json, the CloudFormation template that delivers the service, grown from Chalice's starter.

`delivery` is the way from a push to production and, apart from it, what checks pull requests; `builds` are the
CodeBuild projects, `roles` what each of them and CloudFormation may do, `stores` the buckets and the key, `notices` who
is told when something fails; `language` are the words that all of them use.
"""
