"""Data in and out: files and objects, scaling, named public sets and the pre-training stream."""
